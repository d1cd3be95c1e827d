/*
 * Our bridge asks host-local in its own process, as another file that it has to run,
 * and as the Go program. All three must give the same results and the same errors.
 */
#include "peer_configs.h"
#include "peer_state.h"

static const char *const versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0" };
#define N_VERSIONS (int)(sizeof(versions) / sizeof(versions[0]))

static const char *const delegated[] = {
	BRIDGE(DEFAULT_GW LOCAL(DUAL)),
	BRIDGE(LOCAL("'subnet':'10.1.0.0/30'")), /* one address for two */
	BRIDGE(LOCAL("'ranges':[]")),
	BRIDGE(LOCAL("'subnet':'10.1.0.0/31'")),
	BRIDGE(LOCAL("'subnet':'10.1.0.0/24','rangeStart':'10.2.0.1'")),
};

/* What comes of every verb for two containers, with host-local found in `path`. */
static char *delegate_story(const char *version, const char *(*prepare)(void))
{
	static const char *const verbs[] = { "ADD", "CHECK", "DEL" };
	const char *path;
	char *text = NULL;
	size_t size;
	FILE *log;

	world_teardown();
	world_setup();
	path = prepare();
	log = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(log);
	container_add("c1");
	container_add("c2");
	for (size_t i = 0; i < sizeof(delegated) / sizeof(delegated[0]); i++) {
		const char *config = conf(delegated[i], version), *results[2] = { NULL, NULL };

		for (int k = 0; k < 6; k++) {
			struct call c = { .command = verbs[k / 2],
					  .path = path,
					  .id = fmt("ctr%d", k % 2 + 1),
					  .netns = fmt("/run/netns/c%d", k % 2 + 1),
					  .config = config };
			struct reply r;

			if (k >= 2 && results[k % 2])
				c.config = with_prev(config, results[k % 2]);
			r = call(c);
			if (k < 2 && r.status == 0)
				results[k] = r.out;
			fprintf(log, "== %zu: %s of %s: %s", i, c.command, c.id,
				reply_text(&r, false));
		}
		sh("rm -rf /var/lib/cni/networks; ip link del br0");
	}
	fclose(log);
	return text;
}

/* Where nothing can be executed: only a call inside the process can work. */
static const char *prepare_inside(void)
{
	sh("mkdir /run/world/inside; mount --bind %s /run/world/inside; "
	   "mount -o remount,bind,noexec /run/world/inside",
	   our_plugins());
	ck_assert_int_ne(sh_status("/run/world/inside/host-local"), 0);
	return "/run/world/inside";
}

static const char *prepare_copy(void)
{
	sh("mkdir /run/world/copy /run/world/path; cp %s/host-local /run/world/copy/",
	   our_plugins());
	sh("printf '#!/bin/sh\\necho ran >> /run/world/ran\\nexec /run/world/copy/host-local\\n' > "
	   "/run/world/path/host-local; chmod 755 /run/world/path/host-local");
	return "/run/world/path";
}

static const char *prepare_theirs(void)
{
	return newest_plugins();
}

START_TEST(delegate_inside_and_run)
{
	char *inside = delegate_story(versions[_i], prepare_inside);
	char *run = delegate_story(versions[_i], prepare_copy);

	sh("test -s /run/world/ran");
	same_text("run (-) and inside (+)", run, inside);
	free(inside);
	free(run);
}
END_TEST

START_TEST(delegate_of_theirs)
{
	char *inside = delegate_story(versions[_i], prepare_inside);
	char *theirs = delegate_story(versions[_i], prepare_theirs);

	same_text("host-local of theirs (-) and ours (+)",
		  edit(theirs,
		       "/\"code\": 999/{N;/no IP ranges|invalid range set/s/999/7/}; "
		       "/^== [234]: DEL of ctr[12]: exit 1$/{N;N;N;N;N;s/exit 1.*/exit 0\\n/}"),
		  edit(inside, "/^    \"msg\"/s/,$//; /^    \"details\"/d"));
	free(inside);
	free(theirs);
}
END_TEST

int main(void)
{
	bool newest = peer_has(getenv("CNI_PEER_DIR"), "bridge");
	Suite *suite = suite_create("delegate");
	TCase *tc = tcase_create("delegate");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, delegate_inside_and_run, 0, N_VERSIONS);
	if (newest)
		tcase_add_loop_test(tc, delegate_of_theirs, 0, N_VERSIONS);
	suite_add_tcase(suite, tc);
	return peer_main(suite, "bridge");
}
