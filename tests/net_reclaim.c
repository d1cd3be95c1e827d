/*
 * "reclaimAfterReboot" of host-local: a lease that was written under another boot id is taken over when
 * its range set is exhausted, and no other ever is. A reboot is played by giving lease files another
 * boot id, as the extended attribute that host-local wrote says; the Go plugin must not mind either.
 */
#include "peer_state.h"

#include <errno.h>
#include <sys/xattr.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define ATTR "user.ccni.boot_id"
#define ANOTHER_BOOT "00000000-1111-2222-3333-444444444444"

/* Four addresses, .1 to .4, and no gateway among them. */
#define FOUR                  \
	"'subnet':'10.1.0.0/" \
	"24','rangeStart':'10.1.0.1','rangeEnd':'10.1.0.4','gateway':'10.1.0.254'"
#define NET(keys)                                                          \
	"{'cniVersion':'1.1.0','name':'net1','type':'host-local','ipam':{" \
	"'type':'host-local','dataDir':'/run/world/nets'," keys "}}"
#define ON ",'reclaimAfterReboot':true"
#define OFF ",'reclaimAfterReboot':false"

#define NONE_LEFT "no IP addresses available in range set: 10.1.0.1-10.1.0.4"

/* ---- leases on a file system that has user attributes ---- */

static char on_disk[] = "/var/tmp/net_reclaim.XXXXXX";

/* The world's tmpfs has them since Linux 6.6; on an older kernel a directory on disk takes its place. */
static void setup(void)
{
	world_setup();
	sh("mkdir /run/world/nets");
	if (setxattr("/run/world/nets", ATTR, "", 0, 0) == 0) {
		ck_assert_int_eq(removexattr("/run/world/nets", ATTR), 0);
		return;
	}
	ck_assert_int_eq(errno, EOPNOTSUPP);
	ck_assert_ptr_nonnull(mkdtemp(on_disk));
	sh("mount --bind %s /run/world/nets", on_disk);
	ck_assert_int_eq(setxattr("/run/world/nets", ATTR, "", 0, 0), 0);
}

static void teardown(void)
{
	if (!strstr(on_disk, "XXXXXX"))
		sh("umount /run/world/nets && rm -r %s", on_disk);
	world_teardown();
}

static const char *lease(const char *ip)
{
	return fmt("/run/world/nets/net1/%s", ip);
}

static void set_boot(const char *ip, const char *id)
{
	ck_assert_msg(setxattr(lease(ip), ATTR, id, strlen(id), XATTR_REPLACE) == 0, "%s: %s", ip,
		      strerror(errno));
}

/* All leases of the network as "address=container ...", by address. */
static const char *leases(void)
{
	return sh("cd /run/world/nets/net1 2>/dev/null || exit 0; for f in $(ls -v [0-9]* f[cd]* "
		  "2>/dev/null); do echo \"$f=$(head -n1 $f | tr -d '\\r')\"; done | xargs");
}

static struct call add_of(const char *id, const char *config)
{
	return (struct call){
		.command = "ADD", .id = id, .netns = "/run/netns/none", .config = conf(config, "")
	};
}

static const char *add(const char *id, const char *config)
{
	struct reply r = call_ok(add_of(id, config));
	json_t *ip = json_array_get(json_object_get(r.json, "ips"), 0);

	return json_string_value(json_object_get(ip, "address"));
}

/* Four leases of containers a, b, c, d. */
static void fill(void)
{
	for (int i = 0; i < 4; i++)
		ck_assert_str_eq(add(fmt("%c", 'a' + i), NET(FOUR)), fmt("10.1.0.%d/24", i + 1));
}

/* A lease of container a, by hand. */
static void put_lease(const char *ip, const char *boot)
{
	sh("mkdir -p /run/world/nets/net1; printf 'a\\r\\neth0' >%s", lease(ip));
	if (boot)
		ck_assert_int_eq(setxattr(lease(ip), ATTR, boot, strlen(boot), XATTR_CREATE), 0);
}

static void expect_leases(const char *want)
{
	ck_assert_str_eq(leases(), want);
}

/* ---- what is written ---- */

START_TEST(a_lease_says_in_which_boot_it_was_written)
{
	char id[64] = "";

	add("a", NET(FOUR));
	ck_assert_int_eq(getxattr(lease("10.1.0.1"), ATTR, id, sizeof(id) - 1), 36);
	ck_assert_str_eq(id, sh("cat /proc/sys/kernel/random/boot_id"));
	ck_assert_str_eq(sh("od -c -An %s | tr -d ' \\n'", lease("10.1.0.1")), "a\\r\\neth0");
}
END_TEST

/* ---- when a lease is taken ---- */

START_TEST(off_unless_asked_for)
{
	static const char *const configs[] = { NET(FOUR), NET(FOUR OFF) };

	fill();
	for (int i = 1; i <= 4; i++)
		set_boot(fmt("10.1.0.%d", i), ANOTHER_BOOT);
	call_fails(add_of("new", configs[_i]), 999, NONE_LEFT);
	call_fails((struct call){ .command = "STATUS", .config = conf(configs[_i], "") }, 50,
		   NONE_LEFT);
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
}
END_TEST

START_TEST(never_taken_while_there_is_a_free_address)
{
	add("a", NET(FOUR));
	add("b", NET(FOUR));
	set_boot("10.1.0.1", ANOTHER_BOOT);
	set_boot("10.1.0.2", ANOTHER_BOOT);
	ck_assert_str_eq(add("n1", NET(FOUR ON)), "10.1.0.3/24");
	ck_assert_str_eq(add("n2", NET(FOUR ON)), "10.1.0.4/24");
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=n1 10.1.0.4=n2");
	call_ok((struct call){ .command = "DEL", .id = "n1", .config = conf(NET(FOUR ON), "") });
	ck_assert_str_eq(add("n3", NET(FOUR ON)), "10.1.0.3/24");
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=n3 10.1.0.4=n2");
}
END_TEST

START_TEST(taken_one_at_a_time_when_the_range_is_exhausted)
{
	struct call status = { .command = "STATUS", .config = conf(NET(FOUR ON), "") };

	fill();
	call_fails(status, 50, NONE_LEFT);
	for (int i = 1; i <= 3; i++)
		set_boot(fmt("10.1.0.%d", i), ANOTHER_BOOT);
	for (int i = 1; i <= 3; i++) {
		call_ok(status);
		add(fmt("n%d", i), NET(FOUR ON));
		ck_assert_int_eq(atoi(sh("grep -l n /run/world/nets/net1/10.* | wc -l")), i);
		ck_assert_int_eq(atoi(sh("ls /run/world/nets/net1/10.* | wc -l")), 4);
	}
	/* That of this boot is nobody's but its owner's. */
	call_fails(status, 50, NONE_LEFT);
	call_fails(add_of("n4", NET(FOUR ON)), 999, NONE_LEFT);
	ck_assert_str_eq(sh("cat %s", lease("10.1.0.4")), "d\r\neth0");
	call_ok((struct call){ .command = "CHECK",
			       .id = "d",
			       .netns = "/run/netns/none",
			       .config = conf(NET(FOUR ON), "") });
}
END_TEST

/* Not worth taking: it can't be given out. The next one can. */
START_TEST(an_old_lease_of_what_is_the_gateway_now_is_not_enough)
{
	static const char moved[] =
		NET("'subnet':'10.1.0.0/24','rangeStart':'10.1.0.1','rangeEnd':'10.1.0.4',"
		    "'gateway':'10.1.0.2'" ON);
	static const char *const order[][2] = { { "10.1.0.2", "10.1.0.3" },
						{ "10.1.0.3", "10.1.0.2" } };

	for (int i = 0; i < 2; i++)
		put_lease(order[_i][i], ANOTHER_BOOT);
	add("b", NET(FOUR));
	add("c", NET(FOUR));
	ck_assert_str_eq(add("new", moved), "10.1.0.3/24");
	call_fails(add_of("more", moved), 999, NONE_LEFT);
}
END_TEST

/* What the first set gave up is not what the second one lacks. */
START_TEST(only_leases_of_the_exhausted_set_are_taken)
{
	static const char two[] = NET("'ranges':[[{" FOUR "}],[{'subnet':'10.2.0.0/29'}]]" ON);

	fill();
	add("old", NET("'subnet':'10.2.0.0/29'"));
	sh("cp -r /run/world/nets/net1 /run/world/nets/net2");
	set_boot("10.1.0.2", ANOTHER_BOOT);
	set_boot("10.2.0.2", ANOTHER_BOOT);
	ck_assert_int_eq(setxattr("/run/world/nets/net2/10.1.0.1", ATTR, ANOTHER_BOOT, 36, 0), 0);
	ck_assert_str_eq(add("new", two), "10.1.0.2/24");
	expect_leases("10.1.0.1=a 10.1.0.2=new 10.1.0.3=c 10.1.0.4=d 10.2.0.2=old 10.2.0.3=new");
	call_fails(add_of("more", two), 999, NONE_LEFT);
	ck_assert_int_eq(access("/run/world/nets/net2/10.1.0.1", F_OK), 0);
}
END_TEST

START_TEST(the_attribute_must_be_another_boots_id)
{
	static const char *const ids[] = { "", "0", "00000000-1111-2222-3333-44444444444",
					   "00000000-1111-2222-3333-4444444444444" };

	fill();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		set_boot(fmt("10.1.0.%zu", i + 1), ids[i]);
	call_fails(add_of("new", NET(FOUR ON)), 999, NONE_LEFT);
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
}
END_TEST

START_TEST(a_requested_address_is_not_taken_from_its_owner)
{
	struct call c = add_of("new", NET(FOUR ON));

	fill();
	set_boot("10.1.0.2", ANOTHER_BOOT);
	c.args = "IP=10.1.0.2";
	call_fails(c, 999, "requested IP address 10.1.0.2 is not available in range set");
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
}
END_TEST

START_TEST(an_attachments_own_lease_of_an_old_boot_is_no_duplicate)
{
	fill();
	call_fails(add_of("b", NET(FOUR ON)), 999, "duplicate allocation is not allowed");
	set_boot("10.1.0.2", ANOTHER_BOOT);
	call_fails(add_of("b", NET(FOUR)), 999, "duplicate allocation is not allowed");
	ck_assert_str_eq(add("b", NET(FOUR ON)), "10.1.0.2/24");
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
	call_fails(add_of("b", NET(FOUR ON)), 999, "duplicate allocation is not allowed");
}
END_TEST

/* It is given up for good: an attachment has one lease in a set. */
START_TEST(an_own_old_lease_is_given_up_for_the_new_one)
{
	add("a", NET(FOUR));
	add("b", NET(FOUR));
	set_boot("10.1.0.2", ANOTHER_BOOT);
	ck_assert_str_eq(add("b", NET(FOUR ON)), "10.1.0.3/24");
	expect_leases("10.1.0.1=a 10.1.0.3=b");
}
END_TEST

/* Two of its own: the Go plugin gives a second one when an address is requested. */
START_TEST(an_own_lease_of_this_boot_counts_beside_an_old_one)
{
	static const char *const ips[] = { "10.1.0.2", "10.1.0.3" };

	/* Whichever of them is found first. */
	put_lease(ips[0], _i ? NULL : ANOTHER_BOOT);
	put_lease(ips[1], _i ? ANOTHER_BOOT : NULL);
	call_fails(add_of("a", NET(FOUR ON)), 999,
		   fmt("%s has been allocated to a, duplicate allocation is not allowed",
		       ips[!_i]));
	ck_assert_str_eq(sh("cat %s", lease(ips[!_i])), "a\r\neth0");
}
END_TEST

/* ---- the other verbs, and the key ---- */

START_TEST(old_leases_are_released_and_collected_as_any_other)
{
	fill();
	for (int i = 1; i <= 4; i++)
		set_boot(fmt("10.1.0.%d", i), ANOTHER_BOOT);
	call_ok((struct call){ .command = "CHECK",
			       .id = "a",
			       .netns = "/run/netns/none",
			       .config = conf(NET(FOUR ON), "") });
	call_ok((struct call){ .command = "DEL", .id = "a", .config = conf(NET(FOUR ON), "") });
	expect_leases("10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
	call_ok((struct call){
		.command = "GC",
		.config = conf(NET(FOUR ON ",'x':1},'cni.dev/valid-attachments':["
					   "{'containerID':'c','ifname':'eth0'}],'y':{"),
			       "") });
	expect_leases("10.1.0.3=c");
}
END_TEST

START_TEST(the_key_is_a_boolean_in_any_case)
{
	fill();
	set_boot("10.1.0.3", ANOTHER_BOOT);
	call_fails(add_of("new", NET(FOUR ",'reclaimAfterReboot':'yes'")), 7,
		   "ipam.reclaimAfterReboot");
	ck_assert_str_eq(add("new", NET(FOUR ",'RECLAIMAFTERREBOOT':true")), "10.1.0.3/24");
}
END_TEST

/* ---- beside the Go plugin ---- */

START_TEST(leases_of_the_go_plugin_are_never_taken)
{
	for (int i = 0; i < 4; i++) {
		struct call c = add_of(fmt("%c", 'a' + i), NET(FOUR ON));

		c.bin = newest_plugins();
		call_ok(c);
	}
	ck_assert_int_eq(getxattr(lease("10.1.0.1"), ATTR, NULL, 0), -1);
	ck_assert_int_eq(errno, ENODATA);
	call_fails(add_of("new", NET(FOUR ON)), 999, NONE_LEFT);
	expect_leases("10.1.0.1=a 10.1.0.2=b 10.1.0.3=c 10.1.0.4=d");
}
END_TEST

START_TEST(the_go_plugin_reads_and_releases_leases_with_the_attribute)
{
	struct call c;

	fill();
	set_boot("10.1.0.3", ANOTHER_BOOT);
	for (int i = 0; i < 4; i++) {
		c = add_of(fmt("%c", 'a' + i), NET(FOUR ON));
		c.bin = newest_plugins();
		call_fails(c, 999, "duplicate allocation is not allowed");
		c.command = "CHECK";
		call_ok(c);
	}
	c = add_of("new", NET(FOUR ON));
	c.bin = newest_plugins();
	call_fails(c, 999, NONE_LEFT);
	for (int i = 0; i < 4; i++) {
		c.command = "DEL";
		c.id = fmt("%c", 'a' + i);
		call_ok(c);
	}
	expect_leases("");
	ck_assert_str_eq(add("mine", NET(FOUR ON)), "10.1.0.1/24");
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, a_lease_says_in_which_boot_it_was_written);
	tcase_add_loop_test(tc, off_unless_asked_for, 0, 2);
	tcase_add_test(tc, never_taken_while_there_is_a_free_address);
	tcase_add_test(tc, taken_one_at_a_time_when_the_range_is_exhausted);
	tcase_add_loop_test(tc, an_old_lease_of_what_is_the_gateway_now_is_not_enough, 0, 2);
	tcase_add_test(tc, only_leases_of_the_exhausted_set_are_taken);
	tcase_add_test(tc, the_attribute_must_be_another_boots_id);
	tcase_add_test(tc, a_requested_address_is_not_taken_from_its_owner);
	tcase_add_test(tc, an_attachments_own_lease_of_an_old_boot_is_no_duplicate);
	tcase_add_test(tc, an_own_old_lease_is_given_up_for_the_new_one);
	tcase_add_loop_test(tc, an_own_lease_of_this_boot_counts_beside_an_old_one, 0, 2);
	tcase_add_test(tc, old_leases_are_released_and_collected_as_any_other);
	tcase_add_test(tc, the_key_is_a_boolean_in_any_case);
}

int main(void)
{
	const char *dir = getenv("CNI_PEER_DIR");
	bool newest = dir && *dir;
	Suite *suite = suite_create("reclaimAfterReboot");
	TCase *tc = tcase_create("leases");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	add_tests(tc);
	if (newest) {
		tcase_add_test(tc, leases_of_the_go_plugin_are_never_taken);
		tcase_add_test(tc, the_go_plugin_reads_and_releases_leases_with_the_attribute);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "host-local");
}
