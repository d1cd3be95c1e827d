/*
 * Two implementations of host-local, the newest Go one and ours, work on one directory of leases: at
 * random in turn, where a plain model of round robin foretells every answer, and 32 at once. No
 * address is given twice, each one is somebody's or free, what one wrote the other releases, and our
 * index always agrees with the files. Without the Go plugins there is nothing to compare: 77.
 */
#include "lease_model.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* With AddressSanitizer each of our calls costs ten times as much: fewer of them, for the same time. */
#if defined(__SANITIZE_ADDRESS__)
#define CALLS 600
#define ROUNDS 3
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CALLS 600
#define ROUNDS 3
#endif
#endif
#ifndef CALLS
#define CALLS 2000
#define ROUNDS 10
#endif

#define SEED 20250309
#define STORE "/var/lib/cni/networks"
#define COPY "/run/world/copy"
#define OWNERS 32
#define AT_ONCE 32

static const char *netns;

/* ---- calls ---- */

static const char *config_in(const struct network *net, const char *dir, const char *more)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"%s\",\"type\":\"host-local\"%s,"
		   "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s\",\"ranges\":[%s,%s]}}",
		   net->name, more, dir, net->set[0].ranges, net->set[1].ranges);
}

static struct call call_of(const struct network *net, bool ours, const char *command, int who)
{
	return (struct call){ .command = command,
			      .plugin = "host-local",
			      .bin = ours ? our_plugins() : newest_plugins(),
			      .netns = netns,
			      .id = id_of(who),
			      .ifname = ifname_of(who),
			      .config = config_in(net, STORE, "") };
}

static const char *address(const struct reply *r, int set)
{
	json_t *ip = json_array_get(json_object_get(r->json, "ips"), (size_t)set);
	const char *text = json_string_value(json_object_get(ip, "address"));

	ck_assert_msg(r->status == 0 && text != NULL, "no address %d in %s%s", set, r->out, r->err);
	return fmt("%.*s", (int)strcspn(text, "/"), text);
}

/* ---- what the directory must hold ---- */

static bool is_address(const char *name)
{
	return strncmp(name, "10.", 3) == 0 || strncmp(name, "fd00:", 5) == 0;
}

static int count_leases(const struct network *net)
{
	DIR *dir = opendir(fmt("%s/%s", STORE, net->name));
	struct dirent *entry;
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir)))
		n += is_address(entry->d_name);
	closedir(dir);
	return n;
}

static const char *text_of(const char *path)
{
	static char text[256];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_msg(f != NULL, "%s is missing", path);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* The files say what the model says: no lease more, none less, each of its owner. */
static void assert_files(const struct network *net)
{
	int n = 0;

	for (int i = 0; i < MAX_SETS; i++) {
		const struct set *s = &net->set[i];

		for (int k = 0; k < s->n; k++) {
			if (s->owner[k] == NOBODY)
				continue;
			ck_assert_str_eq(text_of(fmt("%s/%s/%s", STORE, net->name, s->address[k])),
					 fmt("%s\r\n%s", id_of(s->owner[k]),
					     ifname_of(s->owner[k])));
			n++;
		}
		if (s->last >= 0)
			ck_assert_str_eq(
				text_of(fmt("%s/%s/last_reserved_ip.%d", STORE, net->name, i)),
				s->address[s->last]);
	}
	ck_assert_int_eq(count_leases(net), n);
}

/*
 * The index finds what the files say: CHECK sees those who have an address and no others, and as many
 * ADDs as there is room for get the same addresses here and in a copy that has no index.
 */
static void assert_index(struct network *net)
{
	const struct network before = *net;
	int who, added = 0;

	sh("rm -rf %s && cp -a %s %s && rm -f %s/%s/.ccni-index", COPY, STORE, COPY, COPY,
	   net->name);
	for (who = 0; who < OWNERS; who++) {
		struct reply r = call(call_of(net, true, "CHECK", who));

		ck_assert_msg((r.status == 0) == is_live(net, who), "CHECK of %s %s: %s",
			      id_of(who), ifname_of(who), r.out);
	}
	for (who = OWNERS;; who++) {
		struct call c = call_of(net, true, "ADD", who);
		struct reply here = call(c), there;

		c.config = config_in(net, COPY, "");
		there = call(c);
		ck_assert_str_eq(here.out, there.out);
		if (here.status != 0)
			break;
		added++;
	}
	ck_assert_str_ne(sh("stat -c %%s %s/%s/.ccni-index", STORE, net->name), "0");
	for (; added > 0; added--)
		call_ok(call_of(net, true, "DEL", OWNERS + added - 1));
	*net = before;
	/* The search went on meanwhile. */
	for (int i = 0; i < MAX_SETS; i++)
		net->set[i].last =
			find_address(&net->set[i], text_of(fmt("%s/%s/last_reserved_ip.%d", STORE,
							       net->name, i)));
	assert_files(net);
}

/* ---- in turn ---- */

static int below(int n)
{
	return (int)(random() % n);
}

static const char *pick_wanted(const struct network *net)
{
	const struct set *s = &net->set[below(MAX_SETS)];

	switch (below(8)) {
	case 0:
		return s->gateway;
	case 1:
		return "10.99.0.9";
	default:
		return s->address[below(s->n)];
	}
}

/* @return what came of it, for statistics: whether an address was given */
static bool one_add(struct network *net, bool ours, int who, const char **why)
{
	struct call c = call_of(net, ours, "ADD", who);
	const char *wanted = NULL, *got[MAX_SETS];
	struct reply r;

	/* The Go plugin gives a second address to who asks for one: not what is tested here. */
	if (below(4) == 0 && (ours || !is_live(net, who))) {
		wanted = pick_wanted(net);
		c.args = fmt("IgnoreUnknown=1;IP=%s", wanted);
	}
	*why = foretell_add(net, who, wanted, got);
	if (*why) {
		r = call(c);
		ck_assert_int_eq(r.status, 1);
		ck_assert_str_eq(r.msg, *why);
		return false;
	}
	r = call_ok(c);
	for (int i = 0; i < MAX_SETS; i++)
		ck_assert_str_eq(address(&r, i), got[i]);
	return true;
}

/* Ours removes what is not in the list; the Go plugin's does nothing. */
static void one_gc(struct network *net, bool ours)
{
	struct call c = call_of(net, ours, "GC", 0);
	const char *valid = "";

	for (int who = 0; who < OWNERS; who++) {
		if (below(5) > 0)
			valid = fmt("%s%s{\"containerID\":\"%s\",\"ifname\":\"%s\"}", valid,
				    *valid ? "," : "", id_of(who), ifname_of(who));
		else if (ours)
			release(net, who);
	}
	c.config = config_in(net, STORE, fmt(",\"cni.dev/valid-attachments\":[%s]", valid));
	call_ok(c);
}

static void one_check(struct network *net, bool ours, int who)
{
	struct call c = call_of(net, ours, "CHECK", who);

	if (is_live(net, who))
		call_ok(c);
	else
		call_fails(c, 999,
			   fmt("host-local: Failed to find address added by container %s",
			       id_of(who)));
}

/* What must have happened often enough that the test means something. */
struct seen {
	int given, exhausted, duplicate, unavailable, crossed;
};

static void one_call(struct network *net, bool ours, bool wrote_it[OWNERS], struct seen *seen)
{
	int who = below(OWNERS), dice = below(100);
	const char *why = NULL;

	if (dice < 52) {
		if (one_add(net, ours, who, &why)) {
			seen->given++;
			wrote_it[who] = ours;
		} else {
			seen->exhausted += strstr(why, "no IP addresses") != NULL;
			seen->duplicate += strstr(why, "duplicate") != NULL;
			seen->unavailable += strstr(why, "is not available") != NULL;
		}
	} else if (dice < 88) {
		seen->crossed += is_live(net, who) && wrote_it[who] != ours;
		release(net, who);
		call_ok(call_of(net, ours, "DEL", who));
	} else if (dice < 97) {
		one_check(net, ours, who);
	} else {
		one_gc(net, ours);
	}
}

START_TEST(in_turn_both_give_what_round_robin_gives)
{
	struct network net[] = { small_first("net1"), small_second("net2") };
	bool wrote_it[2][OWNERS] = { { 0 } };
	struct seen seen = { 0 };

	srandom(SEED);
	for (int i = 0; i < CALLS; i++) {
		int n = below(2);

		one_call(&net[n], i % 2 == 0, wrote_it[n], &seen);
		if (i % 25 == 24)
			assert_files(&net[n]);
		if (i % (CALLS / 4) == CALLS / 4 - 1)
			assert_index(&net[n]);
	}
	ck_assert_int_gt(seen.given, CALLS / 10);
	ck_assert_int_gt(seen.exhausted, CALLS / 60);
	ck_assert_int_gt(seen.duplicate, CALLS / 60);
	ck_assert_int_gt(seen.unavailable, CALLS / 300);
	ck_assert_int_gt(seen.crossed, CALLS / 30);
	for (int n = 0; n < 2; n++) {
		for (int who = 0; who < OWNERS; who++) {
			release(&net[n], who);
			call_ok(call_of(&net[n], !wrote_it[n][who], "DEL", who));
		}
		assert_files(&net[n]);
		ck_assert_int_eq(count_leases(&net[n]), 0);
	}
}
END_TEST

/* ---- at once ---- */

/* Room for all 32 in the second set; the first one decides. */
static struct network wide(const char *subnet, const char *text, int addresses)
{
	struct network net = { .name = "net1" };

	net.set[0] = set_of(subnet, text, "10.3.0.1");
	add_range(&net.set[0], "10.3.0.", 1, addresses);
	net.set[1] = set_of("[{\"subnet\":\"fd00:3::/122\"}]", "fd00:3::1-fd00:3::3f", "fd00:3::1");
	add_range(&net.set[1], "fd00:3::", 1, 63);
	return net;
}

static void note_given(struct network *net, int who, const struct reply *r)
{
	for (int i = 0; i < MAX_SETS; i++) {
		const char *ip = address(r, i);
		int at = find_address(&net->set[i], ip);

		ck_assert_msg(at >= 0, "%s is not one of the addresses", ip);
		ck_assert_msg(net->set[i].owner[at] == NOBODY, "%s given to %d and to %d", ip,
			      net->set[i].owner[at], who);
		net->set[i].owner[at] = who;
	}
}

/* The last ones given depend on who came last. */
static void forget_last(struct network *net)
{
	for (int i = 0; i < MAX_SETS; i++)
		net->set[i].last = -1;
}

/* ADD of everybody who is not live, while the first of the others, `leaving`, are deleted. */
static int add_rest(struct network *net, int leaving, int turn, int *refused)
{
	struct running *running[OWNERS];
	bool adds[OWNERS], runs[OWNERS];
	int given = 0;

	*refused = 0;
	for (int who = 0; who < OWNERS; who++) {
		adds[who] = !is_live(net, who);
		runs[who] = adds[who] || leaving-- > 0;
		if (runs[who])
			running[who] = call_start(call_of(net, (who + turn) % 2 == 0,
							  adds[who] ? "ADD" : "DEL", who));
	}
	for (int who = 0; who < OWNERS; who++)
		if (runs[who] && !adds[who])
			release(net, who);
	for (int who = 0; who < OWNERS; who++) {
		struct reply r;

		if (!runs[who])
			continue;
		r = call_wait(running[who]);
		if (adds[who] && r.status == 0) {
			note_given(net, who, &r);
			given++;
			continue;
		}
		*refused += adds[who];
		ck_assert_msg(adds[who]
				      ? r.code == 999 && strstr(r.msg, "no IP addresses available")
				      : r.status == 0,
			      "%s of %d: %s%s", adds[who] ? "ADD" : "DEL", who, r.out, r.err);
	}
	forget_last(net);
	return given;
}

static void del_all(struct network *net, int turn)
{
	struct running *running[OWNERS];

	for (int who = 0; who < OWNERS; who++)
		running[who] = call_start(call_of(net, (who + turn) % 2 == 0, "DEL", who));
	for (int who = 0; who < OWNERS; who++) {
		struct reply r = call_wait(running[who]);

		ck_assert_msg(r.status == 0, "DEL of %d: %s%s", who, r.out, r.err);
		release(net, who);
	}
	assert_files(net);
}

START_TEST(at_once_with_room_for_all)
{
	struct network net = wide("[{\"subnet\":\"10.3.0.0/26\"}]", "10.3.0.1-10.3.0.62", 62);
	int refused;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(add_rest(&net, 0, i, &refused), AT_ONCE);
		assert_files(&net);
		del_all(&net, i + i / 2);
		ck_assert_int_eq(add_rest(&net, 0, i + 1, &refused), AT_ONCE);
		if (i == ROUNDS - 1)
			assert_index(&net);
		forget_last(&net);
		del_all(&net, i);
	}
	ck_assert_int_eq(count_leases(&net), 0);
}
END_TEST

/* 19 addresses for 32: 19 get one; then the other 13, while 10 leave. */
START_TEST(at_once_with_too_few_addresses)
{
	struct network net = wide("[{\"subnet\":\"10.3.0.0/26\",\"rangeEnd\":\"10.3.0.20\"}]",
				  "10.3.0.1-10.3.0.20", 20);
	int refused;

	for (int i = 0; i < ROUNDS; i++) {
		ck_assert_int_eq(add_rest(&net, 0, i, &refused), 19);
		ck_assert_int_eq(refused, 13);
		assert_files(&net);
		ck_assert_int_le(add_rest(&net, 10, i + 1, &refused), 10);
		assert_files(&net);
		add_rest(&net, 0, i, &refused);
		/* Now all are taken, whoever was refused before. */
		call_fails(call_of(&net, i % 2 == 0, "ADD", OWNERS), 999,
			   "no IP addresses available");
		assert_files(&net);
		if (i == 0)
			assert_index(&net);
		forget_last(&net);
		del_all(&net, i);
	}
	ck_assert_int_eq(count_leases(&net), 0);
}
END_TEST

/* 32 times the same attachment: one address. */
START_TEST(at_once_for_one_attachment)
{
	struct network net = wide("[{\"subnet\":\"10.3.0.0/26\"}]", "10.3.0.1-10.3.0.62", 62);

	for (int i = 0; i < ROUNDS; i++) {
		struct running *running[AT_ONCE];
		int given = 0;

		for (int k = 0; k < AT_ONCE; k++)
			running[k] = call_start(call_of(&net, k % 2 == i % 2, "ADD", 7));
		for (int k = 0; k < AT_ONCE; k++) {
			struct reply r = call_wait(running[k]);

			if (r.status == 0) {
				note_given(&net, 7, &r);
				given++;
			} else {
				ck_assert_msg(strstr(r.msg, "duplicate allocation is not allowed"),
					      "%s%s", r.out, r.err);
			}
		}
		ck_assert_int_eq(given, 1);
		assert_files(&net);
		release(&net, 7);
		call_ok(call_of(&net, i % 2 == 0, "DEL", 7));
		ck_assert_int_eq(count_leases(&net), 0);
	}
}
END_TEST

/* Without this the other tests would say nothing of the index: it is believed, and only when it may. */
START_TEST(the_directory_is_read_after_the_other_one_wrote_and_then_no_more)
{
	const struct network net = small_second("net1");
	static const struct {
		const char *command;
		int who;
		bool ours, reads;
	} steps[] = {
		{ "ADD", 0, true, true },  { "ADD", 1, true, false },	{ "CHECK", 0, true, false },
		{ "ADD", 2, false, true }, { "CHECK", 2, true, true },	{ "CHECK", 1, true, false },
		{ "DEL", 0, false, true }, { "ADD", 3, true, true },	{ "ADD", 4, true, false },
		{ "DEL", 4, true, false }, { "CHECK", 2, false, true }, { "CHECK", 2, true, false },
	};

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct call c = call_of(&net, steps[i].ours, steps[i].command, steps[i].who);

		/* Leak detection cannot work in a traced process. */
		c.wrapper = "env ASAN_OPTIONS=detect_leaks=0 strace -f -o /run/trace "
			    "-e trace=getdents64";
		call_ok(c);
		ck_assert_msg((sh_status("grep -q getdents /run/trace") == 0) == steps[i].reads,
			      "step %zu: %s", i, sh("cat /run/trace"));
	}
}
END_TEST

static void setup(void)
{
	world_setup();
	netns = container_add("c1");
}

int main(void)
{
	Suite *suite;
	TCase *tc;

	if (!peer_has(getenv("CNI_PEER_DIR"), "host-local")) {
		fprintf(stderr, "no newest Go plugins (CNI_PEER_DIR): skipped\n");
		return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
	}
	suite = suite_create("leases");
	tc = tcase_create("two implementations");
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, in_turn_both_give_what_round_robin_gives);
	tcase_add_test(tc, at_once_with_room_for_all);
	tcase_add_test(tc, at_once_with_too_few_addresses);
	tcase_add_test(tc, at_once_for_one_attachment);
	tcase_add_test(tc, the_directory_is_read_after_the_other_one_wrote_and_then_no_more);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
