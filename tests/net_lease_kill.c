/*
 * host-local killed (SIGKILL) at every system call of an ADD and of a DEL, in directories of different
 * history: no lease is ever seen half, nobody else's is lost, DEL then succeeds, the addresses can be
 * had by others, through ours and through the Go plugin, nothing is left, and the index agrees with
 * the files.
 *
 * strace does the killing: a first run under it lists the calls, then one run for each is killed
 * there, before the call is done. These runs are of the plugins without sanitizers.
 */
#include "trace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STORE "/var/lib/cni"
#define NET STORE "/networks/net1"
#define SNAPSHOT "/run/world/snapshot"
#define COPY "/run/world/copy"

static const char *netns, *peer;

/* ---- calls ---- */

static const char *config_in(const char *store, const char *more)
{
	return fmt("{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"host-local\"%s,"
		   "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s/networks\",\"ranges\":"
		   "[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/120\"}]]}}",
		   more, store);
}

static struct call of(const char *command, const char *id)
{
	return (struct call){ .command = command,
			      .plugin = "host-local",
			      .netns = netns,
			      .id = id,
			      .config = config_in(STORE, "") };
}

static struct call by_peer(struct call c)
{
	c.bin = peer;
	return c;
}

/* ---- where to kill ---- */

/* Run undisturbed, under strace. @return number of calls; *begin: the first one to kill at */
static int find_points(struct call c, bool whole, struct point points[MAX_POINTS], int *begin)
{
	int n = trace_points(c, "", points);

	/* Before it reads its configuration there is no plugin yet, only what loads it. */
	*begin = first_point(points, n, whole ? "read(0," : "\"" STORE);
	ck_assert_int_lt(*begin, n);
	ck_assert_str_eq(points[n - 1].name, "exit_group");
	return n;
}

/* ---- histories ---- */

static void others_by_us(void)
{
	call_ok(of("ADD", "n1"));
	call_ok(of("ADD", "n2"));
}

static void others_by_peer_last(void)
{
	others_by_us();
	call_ok(by_peer(of("ADD", "n3")));
}

static void nothing(void)
{
}

/* What a plugin that was killed after it made the file left at the next address. */
static void torn_at_next(void)
{
	others_by_us();
	sh("touch " NET "/10.1.0.4 " NET "/fd00::4");
}

/* As many as a table of one page takes: the next one makes it grow. */
static void index_full(void)
{
	sh("mkdir -p " NET "; cd " NET "; for i in $(seq 101 160); do "
	   "printf 'n%%d\\r\\neth0' $i >10.1.0.$i; done");
	for (int i = 0; i < 18; i++)
		call_ok(of("ADD", fmt("n%d", i)));
}

static void mine_by_us(void)
{
	others_by_us();
	call_ok(of("ADD", "victim"));
	call_ok(of("ADD", "n4"));
}

static void mine_by_peer(void)
{
	others_by_us();
	call_ok(by_peer(of("ADD", "victim")));
}

static void mine_by_old_plugin(void)
{
	others_by_us();
	sh("printf victim >" NET "/10.1.0.4; printf victim >" NET "/fd00::4");
}

static const struct history {
	const char *name, *command;
	void (*make)(void);
	bool whole; /* kill from the start of the program on, not only from the directory on */
	bool reads; /* the directory is read, because there is no index in step with it */
	const char *ipv4, *ipv6; /* what the victim gets or had */
} histories[] = {
	{ "nothing there", "ADD", nothing, true, true, "10.1.0.2", "fd00::2" },
	{ "index in step", "ADD", others_by_us, false, false, "10.1.0.4", "fd00::4" },
	{ "the Go plugin wrote", "ADD", others_by_peer_last, false, true, "10.1.0.5", "fd00::5" },
	{ "torn file in the way", "ADD", torn_at_next, false, true, "10.1.0.4", "fd00::4" },
	{ "index grows", "ADD", index_full, false, false, "10.1.0.20", "fd00::14" },
	{ "index in step", "DEL", mine_by_us, true, false, "10.1.0.4", "fd00::4" },
	{ "the Go plugin wrote", "DEL", mine_by_peer, false, true, "10.1.0.4", "fd00::4" },
	{ "one-line leases", "DEL", mine_by_old_plugin, false, true, "10.1.0.4", "fd00::4" },
};
#define N_HISTORIES (int)(sizeof(histories) / sizeof(histories[0]))

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
}

static void snapshot(void)
{
	if (is_there(STORE))
		sh("cp -a " STORE " " SNAPSHOT);
}

/* The same directory (the index knows its inode) as it was, with its times. */
static void restore(void)
{
	if (is_there(SNAPSHOT))
		sh("find " NET " -mindepth 1 -delete; cp -a " SNAPSHOT "/networks/net1/. " NET "/");
	else
		sh("rm -rf " STORE);
}

/* ---- what must be so afterwards ---- */

static bool is_address(const char *name)
{
	return strncmp(name, "10.", 3) == 0 || strncmp(name, "fd00:", 5) == 0;
}

/* Every lease is whole, but for the empty files of the history. @return how many the victim has */
static int assert_whole(const struct history *h)
{
	DIR *dir = opendir(NET);
	struct dirent *entry;
	int victims = 0;

	while (dir && (entry = readdir(dir))) {
		const char *path = fmt("%s/%s", NET, entry->d_name);
		char text[64] = "", id[64] = "", sep[3] = "", ifname[64] = "";
		FILE *f;

		if (!is_address(entry->d_name))
			continue;
		f = fopen(path, "r");
		ck_assert_ptr_nonnull(f);
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
		victims += strncmp(text, "victim", 6) == 0;
		if (!*text && h->make == torn_at_next)
			continue;
		sscanf(text, "%63[a-z0-9]%2[\r\n]%63s", id, sep, ifname);
		ck_assert_msg((strcmp(sep, "\r\n") == 0 && strcmp(ifname, "eth0") == 0) ||
				      (h->make == mine_by_old_plugin &&
				       strcmp(text, "victim") == 0),
			      "lease %s is \"%s\"", entry->d_name, text);
	}
	if (dir)
		closedir(dir);
	return victims;
}

/* Leases of the others, with their owners. */
static const char *others(void)
{
	return sh("cd " NET " 2>/dev/null && grep -sH '^n' 10.* fd* | sort; true");
}

/* Somebody else gets here what he gets in a copy without an index; CHECK sees what there is. */
static void assert_index(int victims, const char *bin)
{
	struct call add = of("ADD", "probe"), check = of("CHECK", "victim"),
		    del = of("DEL", "probe");
	struct reply here, there;

	add.bin = check.bin = del.bin = bin;
	sh("rm -rf " COPY "; mkdir " COPY "; [ ! -e " STORE "/networks ] || cp -a " STORE
	   "/networks " COPY "; rm -f " COPY "/networks/net1/.ccni-index");
	ck_assert_int_eq(call(check).status == 0, victims > 0);
	here = call_ok(add);
	add.config = config_in(COPY, "");
	there = call_ok(add);
	ck_assert_str_eq(here.out, there.out);
	call_ok(del);
}

static const char *address(const struct reply *r, size_t n)
{
	json_t *ip = json_array_get(json_object_get(r->json, "ips"), n);
	const char *text = json_string_value(json_object_get(ip, "address"));

	return text ? fmt("%.*s", (int)strcspn(text, "/"), text) : "none";
}

/* Somebody else asks for the victim's addresses, and leaves again. */
static void assert_free(const struct history *h, const char *bin)
{
	struct call c = of("ADD", "taker");
	struct reply r;

	c.bin = bin;
	c.config = config_in(STORE, fmt(",\"args\":{\"cni\":{\"ips\":[\"%s\",\"%s\"]}}", h->ipv4,
					h->ipv6));
	r = call_ok(c);
	ck_assert_str_eq(address(&r, 0), h->ipv4);
	ck_assert_str_eq(address(&r, 1), h->ipv6);
	c.command = "DEL";
	call_ok(c);
}

static void assert_clean(const char *neighbours)
{
	ck_assert_str_eq(others(), neighbours);
	ck_assert_str_eq(sh("find " NET " -mindepth 1 ! -name '10.*' ! -name 'fd00::*' -printf "
			    "'%%f\\n' | sort | xargs"),
			 ".ccni-index last_reserved_ip.0 last_reserved_ip.1 lock");
	ck_assert_str_eq(sh("cd " NET "; find . -size 0 ! -name lock; "
			    "grep -l 'victim\\|probe\\|taker' *; true"),
			 "");
}

static void assert_recovers(const struct history *h, int n, const char *neighbours)
{
	int victims = assert_whole(h);
	/* Sanitizers watch each DEL of the victim, which mends what it finds; the others at each third point. */
	const char *ours = n % 3 == 0 ? our_plugins() : plain_plugins();

	ck_assert_str_eq(others(), neighbours);
	/* Now this comes first after the kill and finds what it left, and now that. */
	if (n % 2 == 0)
		assert_index(victims, ours);
	if (n % 4 == 3)
		call_ok(by_peer(of("DEL", "victim")));
	call_ok(of("DEL", "victim"));
	ck_assert_int_eq(assert_whole(h), 0);
	if (n % 2 == 1)
		assert_index(0, ours);
	assert_free(h, ours);
	assert_free(h, peer);
	assert_clean(neighbours);
}

START_TEST(nothing_is_left_after_a_kill)
{
	static struct point points[MAX_POINTS];
	const struct history *h = &histories[_i];
	struct call c = by_plain(of(h->command, "victim"));
	int n, begin;
	const char *neighbours;

	h->make();
	snapshot();
	neighbours = others();
	n = find_points(c, h->whole, points, &begin);
	ck_assert_int_gt(n - begin, strcmp(h->command, "ADD") == 0 ? 40 : 20);
	ck_assert_msg((sh_status("grep -q getdents " TRACE) == 0) == h->reads, "%s", h->name);
	for (int i = begin; i < n; i++) {
		restore();
		kill_at(c, &points[i]);
		assert_recovers(h, i, neighbours);
	}
}
END_TEST

static const char *program_of(const char *dir)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/host-local", dir ? dir : "");
	return path;
}

static bool have_peer(void)
{
	return access(program_of(getenv("CNI_PEER_DIR")), X_OK) == 0 ||
	       access(program_of("/usr/lib/cni"), X_OK) == 0;
}

static void setup(void)
{
	world_setup();
	netns = container_add("c1");
	peer = newest_plugins() ? newest_plugins() : debian_plugins();
}

int main(void)
{
	Suite *suite;
	TCase *tc;

	if (!have_peer()) {
		fprintf(stderr, "no Go plugins to take turns with: skipped\n");
		return getenv("CNI_TEST_MUST_RUN") ? 1 : 77;
	}
	suite = suite_create("lease kill");
	tc = tcase_create("SIGKILL");
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, nothing_is_left_after_a_kill, 0, N_HISTORIES);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
