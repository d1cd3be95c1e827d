/*
 * `ccni leases`, the operator's look at what host-local has given out: what it lists, in which order and
 * state, what it answers to a wrong call, and that it changes nothing and waits for nobody.
 */
#include "peer_state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NETS "/run/world/nets"
#define USAGE "usage: ccni leases [NETWORK] [--json] [--data-dir DIR]\n"
#define TITLE                                                                                      \
	"NETWORK       ADDRESS          CONTAINER                 INTERFACE  SINCE               " \
	"  STATE  \n"

/* ---- running the tool ---- */

struct output {
	int status;
	const char *out, *err;
};

static const char *contents(const char *path)
{
	const char *text = sh("cat %s && echo .", path);

	return fmt("%.*s", (int)strlen(text) - 1, text);
}

/* @param args  words for a shell */
static struct output tool(const char *args)
{
	struct output o = { .status = sh_status("%s/ccni %s >/run/out 2>/run/err", our_plugins(),
						args) };

	o.out = contents("/run/out");
	o.err = contents("/run/err");
	return o;
}

static const char *tool_ok(const char *args)
{
	struct output o = tool(args);

	ck_assert_msg(o.status == 0, "%s: exit %d: %s", args, o.status, o.err);
	ck_assert_str_eq(o.err, "");
	return o.out;
}

/* The listing as "network address container ifname state" lines, out of the JSON. */
static const char *listed(const char *args)
{
	tool_ok(fmt("leases --json %s", args));
	return sh("jq -r '.[] | [.network, .address, .containerID // \"-\", .ifname // \"-\", "
		  ".state] | join(\" \")' /run/out");
}

/* ---- leases to look at ---- */

static void put(const char *name, const char *text)
{
	sh("d=" NETS "/%s; mkdir -p ${d%%/*}; printf '%s' >$d; touch -d 2024-02-29T12:34:56Z $d",
	   name, text);
}

/* One of each state, in two networks; made in no order. */
static void furnish(void)
{
	put("net1/10.1.0.10", "ctr10\\r\\neth0");
	put("net1/10.1.0.9", "ctr9\\r\\neth1");
	put("net1/fd00::2", "ctr9\\r\\neth1");
	put("net1/10.1.0.11", "oldone");
	put("net1/10.1.0.12", "");
	put("net1/10.1.0.13", "two\\nlines\\n");
	put("net1/10.1.0.14", "gone\\r\\neth0");
	put("net1/lock", "");
	put("net1/last_reserved_ip.0", "10.1.0.10");
	put("net1/README", "x");
	put("net1/010.1.0.5", "x\\r\\neth0");
	put("net1/::ffff:10.1.0.5", "x\\r\\neth0");
	put("a.net-2/10.2.0.2", "ctr2\\r\\neth0");
	put("file", "not a network");
	sh("mkdir -p " NETS "/net1/10.1.0.15 " NETS "/empty " NETS "/.hidden; "
	   "ln -s /etc/passwd " NETS "/net1/10.1.0.16; ln -s net1 " NETS "/link; "
	   "cp " NETS "/net1/10.1.0.9 " NETS "/.hidden/10.9.0.9; mkfifo " NETS "/net1/10.1.0.17");
}

static const char everything[] = "a.net-2 10.2.0.2 ctr2 eth0 held\n"
				 "net1 10.1.0.9 ctr9 eth1 held\n"
				 "net1 10.1.0.10 ctr10 eth0 held\n"
				 "net1 10.1.0.11 oldone - held\n"
				 "net1 10.1.0.12 - - torn\n"
				 "net1 10.1.0.13 - - foreign\n"
				 "net1 10.1.0.14 gone eth0 held\n"
				 "net1 10.1.0.15 - - foreign\n"
				 "net1 10.1.0.16 - - foreign\n"
				 "net1 10.1.0.17 - - foreign\n"
				 "net1 fd00::2 ctr9 eth1 held";

/* ---- what is listed ---- */

START_TEST(lists_every_network_in_order)
{
	furnish();
	ck_assert_str_eq(listed("--data-dir " NETS), everything);
}
END_TEST

START_TEST(lists_one_network)
{
	furnish();
	ck_assert_str_eq(listed("a.net-2 --data-dir=" NETS), "a.net-2 10.2.0.2 ctr2 eth0 held");
	ck_assert_str_eq(listed("net1 --data-dir " NETS), strchr(everything, '\n') + 1);
	ck_assert_str_eq(tool_ok("leases empty --json --data-dir " NETS), "[]\n");
}
END_TEST

START_TEST(table_has_a_line_for_each_lease)
{
	put("net1/10.1.0.2", "0123456789abcdef0123456789abcdef\\r\\neth0");
	put("net1/2001:db8:1:2:3:4:5:6", "c\\r\\na-long-one-15ch");
	put("net1/10.1.0.3", "old");
	put("net1/10.1.0.4", "");
	ck_assert_str_eq(
		tool_ok("leases net1 --data-dir " NETS), TITLE
		"net1          10.1.0.2         0123456789abcdef0123456789abcdef  eth0       "
		"2024-02-29T12:34:56Z  held   \n"
		"net1          10.1.0.3         old                       -          "
		"2024-02-29T12:34:56Z  held   \n"
		"net1          10.1.0.4         -                         -          "
		"2024-02-29T12:34:56Z  torn   \n"
		"net1          2001:db8:1:2:3:4:5:6  c                         a-long-one-15ch  "
		"2024-02-29T12:34:56Z  held   \n");
}
END_TEST

START_TEST(json_is_one_list_of_objects)
{
	put("net1/10.1.0.2", "c\\r\\neth0");
	put("net1/10.1.0.3", "old");
	ck_assert_str_eq(tool_ok("leases --json --data-dir " NETS),
			 "[\n"
			 "    {\n"
			 "        \"network\": \"net1\",\n"
			 "        \"address\": \"10.1.0.2\",\n"
			 "        \"containerID\": \"c\",\n"
			 "        \"ifname\": \"eth0\",\n"
			 "        \"since\": \"2024-02-29T12:34:56Z\",\n"
			 "        \"state\": \"held\"\n"
			 "    },\n"
			 "    {\n"
			 "        \"network\": \"net1\",\n"
			 "        \"address\": \"10.1.0.3\",\n"
			 "        \"containerID\": \"old\",\n"
			 "        \"since\": \"2024-02-29T12:34:56Z\",\n"
			 "        \"state\": \"held\"\n"
			 "    }\n"
			 "]\n");
}
END_TEST

START_TEST(dates_are_those_of_date)
{
	static const char *const dates[] = {
		"1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2000-02-29T00:00:00Z",
		"2023-12-31T23:59:59Z", "2024-03-01T00:00:00Z", "2100-02-28T12:00:00Z",
		"2100-03-01T12:00:00Z",
	};
	int n = (int)ARRAY_SIZE(dates);

	for (int i = 0; i < n; i++) {
		put(fmt("net1/10.1.0.%d", i + 2), "old");
		sh("touch -d %s " NETS "/net1/10.1.0.%d", dates[i], i + 2);
	}
	tool_ok("leases --json --data-dir " NETS);
	for (int i = 0; i < n; i++)
		ck_assert_str_eq(sh("jq -r '.[%d].since' /run/out", i), dates[i]);
}
END_TEST

/* What host-local itself has written, where it writes it unless told otherwise. */
START_TEST(lists_what_host_local_gave_out)
{
	static const char net[] = "{'cniVersion':'1.0.0','name':'@','type':'host-local','ipam':{"
				  "'type':'host-local','ranges':[[{'subnet':'10.1.0.0/24'}],"
				  "[{'subnet':'fd00:1::/64'}]]}}";
	struct call c = { .command = "ADD", .netns = "/run/netns/none" };
	const char *now, *since;

	c.config = conf(net, "b");
	call_ok(c);
	c.config = conf(net, "a");
	c.id = "ctr2";
	call_ok(c);
	ck_assert_str_eq(listed(""), "a 10.1.0.2 ctr2 eth0 held\na fd00:1::2 ctr2 eth0 held\n"
				     "b 10.1.0.2 ctr1 eth0 held\nb fd00:1::2 ctr1 eth0 held");
	since = sh("jq -r '.[0].since' /run/out");
	now = sh("date -u +%%FT%%TZ");
	ck_assert_uint_eq(strlen(since), strlen("2024-02-29T12:34:56Z"));
	ck_assert_str_le(since, now);
	ck_assert_str_ge(since, sh("date -u -d '1 hour ago' +%%FT%%TZ"));
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(listed("a"), "");
}
END_TEST

START_TEST(a_lease_of_another_boot_is_stale)
{
	static const char another[] = "00000000-1111-2222-3333-444444444444";
	struct call c = { .command = "ADD",
			  .netns = "/run/netns/none",
			  .config = conf("{'cniVersion':'1.0.0','name':'net1','type':'host-local',"
					 "'ipam':{'type':'host-local','subnet':'10.1.0.0/24'}}",
					 "") };

	call_ok(c);
	c.id = "ctr2";
	call_ok(c);
	if (setxattr("/var/lib/cni/networks/net1/10.1.0.2", "user.ccni.boot_id", another,
		     strlen(another), XATTR_REPLACE) < 0)
		ck_abort_msg("no user attributes on tmpfs: needs Linux 6.6");
	ck_assert_str_eq(listed(""), "net1 10.1.0.2 ctr1 eth0 stale\n"
				     "net1 10.1.0.3 ctr2 eth0 held");
}
END_TEST

START_TEST(without_any_network_there_is_an_empty_list)
{
	ck_assert_str_eq(tool_ok("leases"), TITLE);
	ck_assert_str_eq(tool_ok("leases --json"), "[]\n");
	ck_assert_str_eq(sh("find /var/lib/cni 2>/dev/null || true"), "");
	sh("mkdir " NETS);
	ck_assert_str_eq(tool_ok("leases --json --data-dir " NETS), "[]\n");
}
END_TEST

/* ---- what is in a lease must not reach the terminal ---- */

START_TEST(nothing_in_a_lease_steers_the_terminal)
{
	const char *out;

	put("net1/10.1.0.2", "\\033[2Jx\\007\\177 y\\233\\302\\233z\\r\\n\\033]0;t\\007");
	put("net1/10.1.0.3", "id\\r\\ne\\033[2J\\177\\233x");
	out = tool_ok("leases --data-dir " NETS);
	for (const char *p = out; *p; p++)
		ck_assert_msg(*p == '\n' || (*p >= ' ' && *p < 0x7f), "byte %02x in: %s",
			      (unsigned char)*p, out);
	ck_assert_ptr_nonnull(strstr(out, " e?[2J??x "));
	out = tool_ok("leases --json --data-dir " NETS);
	for (const char *p = out; *p; p++)
		ck_assert_msg(*p == '\n' || (unsigned char)*p >= ' ', "byte %02x in: %s",
			      (unsigned char)*p, out);
}
END_TEST

START_TEST(json_is_json_whatever_a_lease_holds)
{
	put("net1/10.1.0.2", "id\\r\\n\\377\\300\\200\"\\\\");
	put("net1/10.1.0.3", "a\\000b\\r\\neth0");
	tool_ok("leases --json --data-dir " NETS);
	sh("iconv -f UTF-8 -t UTF-8 /run/out >/dev/null");
	ck_assert_str_eq(sh("jq length /run/out"), "2");
}
END_TEST

/* ---- errors ---- */

START_TEST(an_unknown_network_is_an_error)
{
	static const char *const nets[] = { "nope", "file", "link" };
	struct output o;

	furnish();
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		o = tool(fmt("leases %s --data-dir " NETS, nets[i]));
		ck_assert_int_eq(o.status, 1);
		ck_assert_str_eq(o.out, "");
		ck_assert_str_eq(o.err, i == 0 ? "ccni leases: " NETS
						 "/nope: no such file or directory\n"
					       : fmt("ccni leases: " NETS "/%s: not a directory\n",
						     nets[i]));
	}
	o = tool("leases --data-dir " NETS "/file");
	ck_assert_int_eq(o.status, 1);
	ck_assert_str_eq(o.err, "ccni leases: " NETS "/file: not a directory\n");
}
END_TEST

START_TEST(a_wrong_call_shows_the_usage)
{
	static const char *const args[] = { "leases --nope",   "leases a b",	    "leases ..",
					    "leases ../net1",  "leases --data-dir", "leases ''",
					    "leases --json=1", "leases -x" };
	struct output o;

	for (size_t i = 0; i < ARRAY_SIZE(args); i++) {
		o = tool(args[i]);
		ck_assert_msg(o.status == 2, "%s: exit %d", args[i], o.status);
		ck_assert_str_eq(o.out, "");
		ck_assert_msg(strstr(o.err, USAGE) != NULL, "%s: %s", args[i], o.err);
	}
	o = tool("");
	ck_assert_int_eq(o.status, 2);
	ck_assert_str_eq(o.out, "");
	ck_assert_ptr_nonnull(strstr(o.err, "  ccni leases [NETWORK] [--json] [--data-dir DIR]"));
	ck_assert_ptr_nonnull(strstr(o.err, "\n  host-local\n"));
	ck_assert_int_eq(tool("nope").status, 2);
}
END_TEST

/* What can't be written is no success. */
START_TEST(a_full_output_is_an_error)
{
	furnish();
	ck_assert_int_eq(sh_status("%s/ccni leases --data-dir " NETS " >/dev/full", our_plugins()),
			 1);
}
END_TEST

/* ---- it only looks ---- */

START_TEST(changes_nothing)
{
	static const char look[] =
		"cd " NETS " && find . -printf '%%p %%y %%m %%s %%i %%T@ %%C@\\n' | sort && "
		"find . -type f | sort | xargs sha256sum";
	const char *before;

	furnish();
	/* With an index of ours beside the leases, stamped in the past. */
	call_ok((struct call){
		.command = "ADD",
		.netns = "/run/netns/none",
		.config = conf("{'cniVersion':'1.0.0','name':'net1','type':'host-local','ipam':{"
			       "'type':'host-local','subnet':'10.1.0.0/24','dataDir':'" NETS "'}}",
			       "") });
	before = sh(look);
	for (int i = 0; i < 2; i++) {
		tool_ok("leases --data-dir " NETS);
		tool_ok("leases net1 --json --data-dir " NETS);
		ck_assert_int_eq(tool("leases nope --data-dir " NETS).status, 1);
		same_text("before (-) and after (+)", before, sh(look));
	}
	sh("mount --bind " NETS " " NETS " && mount -o remount,bind,ro " NETS);
	ck_assert_ptr_nonnull(strstr(listed("--data-dir " NETS), "net1 10.1.0.9 ctr9 eth1 held"));
}
END_TEST

START_TEST(does_not_wait_for_the_lock)
{
	int fd;

	furnish();
	fd = open(NETS "/net1/lock", O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	sh("timeout 60 %s/ccni leases net1 --json --data-dir " NETS " >/run/out", our_plugins());
	ck_assert_str_eq(sh("jq length /run/out"), "10");
	/* It is held indeed. */
	ck_assert_int_eq(sh_status("flock -n " NETS "/net1/lock true"), 1);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("the operator's tool");
	TCase *tc = tcase_create("leases");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, lists_every_network_in_order);
	tcase_add_test(tc, lists_one_network);
	tcase_add_test(tc, table_has_a_line_for_each_lease);
	tcase_add_test(tc, json_is_one_list_of_objects);
	tcase_add_test(tc, dates_are_those_of_date);
	tcase_add_test(tc, lists_what_host_local_gave_out);
	tcase_add_test(tc, a_lease_of_another_boot_is_stale);
	tcase_add_test(tc, without_any_network_there_is_an_empty_list);
	tcase_add_test(tc, nothing_in_a_lease_steers_the_terminal);
	tcase_add_test(tc, json_is_json_whatever_a_lease_holds);
	tcase_add_test(tc, an_unknown_network_is_an_error);
	tcase_add_test(tc, a_wrong_call_shows_the_usage);
	tcase_add_test(tc, a_full_output_is_an_error);
	tcase_add_test(tc, changes_nothing);
	tcase_add_test(tc, does_not_wait_for_the_lock);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
