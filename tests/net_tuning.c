/*
 * tuning: what it sets, reports and restores; the list of what is allowed; CHECK, GC and STATUS; and as a
 * link of chains with bridge and with loopback.
 */
#include "tuning_world.h"

#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ---- ADD and DEL ---- */

START_TEST(add_sets_everything_and_del_restores_the_link)
{
	const char *before = tuning_state();

	call_ok(on_c1("ADD", TUNING(EVERYTHING)));
	ck_assert_str_eq(sysctl_of_c1("core/somaxconn"), "77");
	ck_assert_str_eq(sysctl_of_c1("ipv4/conf/eth0/arp_filter"), "1");
	ck_assert_str_eq(link_mac(), NEW_MAC);
	ck_assert_str_eq(link_mtu(), "1400");
	sh_in("c1", "ip link show eth0 | grep ALLMULTI,PROMISC | grep 'qlen 50'");
	call_ok(on_c1("CHECK", TUNING(EVERYTHING)));
	call_ok(on_c1("DEL", TUNING(EVERYTHING)));
	/* As with the Go plugin parameters stay: they end with the namespace. */
	sh_in("c1", "echo 4096 >/proc/sys/net/core/somaxconn; "
		    "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_filter");
	assert_state(before);
	call_ok(on_c1("DEL", TUNING(EVERYTHING)));
	assert_state(before);
}
END_TEST

START_TEST(result_is_prev_result_with_the_new_mac_and_mtu)
{
	struct reply r = call_ok(on_c1("ADD", TUNING(EVERYTHING)));
	json_t *ifaces = json_object_get(r.json, "interfaces"), *eth0 = json_array_get(ifaces, 1);

	ck_assert_uint_eq(json_array_size(ifaces), 2);
	ck_assert_str_eq(text_of(eth0, "mac"), NEW_MAC);
	ck_assert_int_eq(json_integer_value(json_object_get(eth0, "mtu")), 1400);
	ck_assert_str_eq(text_of(json_array_get(ifaces, 0), "mac"), "");
	ck_assert_str_eq(text_of(json_array_get(json_object_get(r.json, "ips"), 0), "address"),
			 "10.1.0.2/24");
	ck_assert_ptr_nonnull(json_object_get(r.json, "routes"));
	ck_assert_ptr_nonnull(json_object_get(r.json, "dns"));
}
END_TEST

static const struct {
	const char *config, *args, *mac;
} macs[] = {
	{ TUNING(",\"mac\":\"02:00:00:00:00:0a\""), NULL, "02:00:00:00:00:0a" },
	{ TUNING(",\"mac\":\"02-00-00-00-00-0A\""), NULL, "02:00:00:00:00:0a" },
	{ TUNING(",\"mac\":\"0200.0000.000a\""), NULL, "02:00:00:00:00:0a" },
	{ TUNING(",\"mac\":\"02:00:00:00:00:0a\""), "MAC=02:00:00:00:00:0b", "02:00:00:00:00:0b" },
	{ TUNING(""), "IgnoreUnknown=1;X=y;MAC=02:00:00:00:00:0b", "02:00:00:00:00:0b" },
	{ TUNING(",\"mac\":\"02:00:00:00:00:0a\""), "MAC=", "02:00:00:00:00:0a" },
	{ TUNING(",\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:0c\"}"), "MAC=02:00:00:00:00:0b",
	  "02:00:00:00:00:0c" },
	{ TUNING(",\"runtimeConfig\":{\"mac\":\"\"}"), "MAC=02:00:00:00:00:0b",
	  "02:00:00:00:00:0b" },
	{ TUNING(",\"runtimeConfig\":{\"mac\":\"02:00:00:00:00:0c\"},\"args\":{\"cni\":{\"mac\":"
		 "\"02:00:00:00:00:0d\"}}"),
	  "MAC=02:00:00:00:00:0b", "02:00:00:00:00:0d" },
	{ TUNING(",\"mac\":\"02:00:00:00:00:0a\",\"args\":{\"cni\":{\"mac\":\"\"}}"), NULL,
	  OLD_MAC },
};

START_TEST(a_stronger_place_overrides_the_mac_of_a_weaker)
{
	struct call c = on_c1("ADD", macs[_i].config);

	c.args = macs[_i].args;
	call_ok(c);
	ck_assert_str_eq(link_mac(), macs[_i].mac);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(link_mac(), OLD_MAC);
}
END_TEST

START_TEST(args_cni_overrides_each_key)
{
	call_ok(on_c1("ADD",
		      TUNING(EVERYTHING ",\"args\":{\"cni\":{\"sysctl\":{\"net.core.somaxconn\":"
					"\"88\",\"net/ipv4/conf/IFNAME/arp_filter\":\"0\","
					"\"net.ipv4.conf.all.arp_filter\":\"1\"},\"mtu\":0,"
					"\"promisc\":false,\"allmulti\":false,\"txQLen\":0}}")));
	ck_assert_str_eq(sysctl_of_c1("core/somaxconn"), "88");
	ck_assert_str_eq(sysctl_of_c1("ipv4/conf/eth0/arp_filter"), "0");
	ck_assert_str_eq(sysctl_of_c1("ipv4/conf/all/arp_filter"), "1");
	ck_assert_str_eq(link_mtu(), "1500");
	sh_in("c1", "! ip link show eth0 | grep -e PROMISC -e ALLMULTI -e qlen");
}
END_TEST

START_TEST(keys_are_known_whatever_their_case)
{
	call_ok(on_c1("ADD", TUNING(",\"SysCtl\":{\"net.core.somaxconn\":\"77\"},\"MAC\":\"" NEW_MAC
				    "\",\"Mtu\":1400,\"TXQLEN\":50,\"AllMulti\":true,"
				    "\"PROMISC\":true")));
	ck_assert_str_eq(sysctl_of_c1("core/somaxconn"), "77");
	ck_assert_str_eq(link_mac(), NEW_MAC);
	sh_in("c1", "ip link show eth0 | grep ALLMULTI,PROMISC | grep 'mtu 1400.*qlen 50'");
}
END_TEST

START_TEST(a_link_with_dots_in_its_name_is_reached_through_ifname)
{
	struct call c =
		on_c1("ADD", TUNING(",\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"}"));

	sh_in("c1", "ip link set eth0 down; ip link set eth0 name eth0.5");
	c.ifname = "eth0.5";
	call_ok(c);
	ck_assert_str_eq(sysctl_of_c1("ipv4/conf/eth0.5/arp_filter"), "1");
}
END_TEST

START_TEST(values_of_several_words_are_written_and_found)
{
	static const char config[] =
		TUNING(",\"sysctl\":{\"net.ipv4.tcp_rmem\":\"4096 100000 200000\","
		       "\"net.ipv4.ip_local_reserved_ports\":\"5,7-9\"}");

	call_ok(on_c1("ADD", config));
	ck_assert_str_eq(sysctl_of_c1("ipv4/tcp_rmem"), "4096\t100000\t200000");
	call_ok(on_c1("CHECK", config));
}
END_TEST

/* As ipv4/route/flush: there is nothing to be read, so nothing to restore or to compare. */
START_TEST(a_parameter_for_writing_only_is_written)
{
	static const char config[] = TUNING(",\"sysctl\":{\"net.ipv4.route.flush\":\"1\"}");

	call_ok(on_c1("ADD", config));
	call_ok(on_c1("CHECK", config));
}
END_TEST

/* ---- backups ---- */

START_TEST(a_second_add_keeps_the_oldest_values)
{
	call_ok(on_c1("ADD", TUNING(",\"mtu\":1400")));
	call_ok(on_c1("ADD", TUNING(",\"mtu\":1300,\"mac\":\"" NEW_MAC "\"")));
	ck_assert_str_eq(link_mtu(), "1300");
	call_ok(on_c1("DEL", BARE("")));
	ck_assert_str_eq(link_mtu(), "1500");
	ck_assert_str_eq(link_mac(), OLD_MAC);
	ck_assert_str_eq(sh("ls -A " BACKUPS), "");
}
END_TEST

/* The namespace went without a DEL, and the container is started again under its name. */
START_TEST(a_backup_of_another_link_is_neither_kept_nor_restored)
{
	static const char config[] = TUNING(",\"mtu\":1400");

	call_ok(on_c1("ADD", config));
	sh("cp " BACKUPS "/ctr1_eth0.json /run/old");
	sh_in("c1", "ip link del eth0");
	container_del("c1");
	container_add("c1");
	add_link();
	sh_in("c1", "ip link set eth0 mtu 1450");
	call_ok(on_c1("DEL", BARE("")));
	ck_assert_str_eq(link_mtu(), "1450");
	sh("cp /run/old " BACKUPS "/ctr1_eth0.json");
	call_ok(on_c1("ADD", config));
	call_ok(on_c1("DEL", BARE("")));
	ck_assert_str_eq(link_mtu(), "1450");
}
END_TEST

START_TEST(data_dir_says_where_backups_are)
{
	static const char config[] = TUNING(",\"mtu\":1400,\"dataDir\":\"/run/a/b/c//\"");

	call_ok(on_c1("ADD", config));
	ck_assert_str_eq(sh("stat -c %%a /run/a /run/a/b /run/a/b/c /run/a/b/c/ctr1_eth0.json"),
			 "755\n755\n700\n600");
	ck_assert_int_ne(sh_status("test -e /run/cni"), 0);
	call_ok(on_c1("DEL", BARE(",\"DATADIR\":\"/run/a/b/c\"")));
	ck_assert_str_eq(sh("ls -A /run/a/b/c"), "");
	ck_assert_str_eq(link_mtu(), "1500");
}
END_TEST

START_TEST(parameters_alone_need_no_backup_and_no_link)
{
	static const char config[] = TUNING(",\"sysctl\":{\"net.core.somaxconn\":\"77\"}");
	struct call c = on_c1("ADD", config);

	c.ifname = "eth7";
	call_ok(c);
	ck_assert_str_eq(sysctl_of_c1("core/somaxconn"), "77");
	ck_assert_int_ne(sh_status("test -e /run/cni"), 0);
}
END_TEST

/* ---- the list of what is allowed ---- */

static const struct {
	const char *list; /* NULL = no file */
	const char *sysctl; /* of the configuration */
	const char *msg; /* NULL = allowed */
} allowed[] = {
	{ NULL, "\"net.core.somaxconn\":\"77\"", NULL },
	{ "^net.core.somaxconn$", "\"net.core.somaxconn\":\"77\"", NULL },
	{ "^net.core.somaxconn$", "\"net/core/somaxconn\":\"77\"", NULL },
	{ "somax", "\"net.core.somaxconn\":\"77\"", NULL },
	{ "^net.core.\\w+$", "\"net.core.somaxconn\":\"77\"", NULL },
	{ "", "\"net.core.somaxconn\":\"77\"",
	  "Sysctl net.core.somaxconn is not allowed. Only the "
	  "following sysctls are allowed: []" },
	{ "^a$\n b \n", "\"net.core.somaxconn\":\"77\"", "are allowed: [^a$ b]" },
	{ "^net.core.somaxconn$", "\"net.core.somaxconn\":\"77\",\"net.ipv4.ip_forward\":\"1\"",
	  "Sysctl net.ipv4.ip_forward is not allowed" },
	{ "^net.core.somaxconn$", "\"net.core..somaxconn\":\"77\"", "is not allowed" },
	{ "^net.ipv4.conf.IFNAME.[a-z_]*$", "\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"", NULL },
	/* musl's regex(3) counts to two here and finds it. */
	{ "^net\\.((\\.{2})+|\\w{2,}){2}$", "\"net.core.somaxconn\":\"77\"", "is not allowed" },
	{ "^net.ipv4.conf.eth0.[a-z_]*$", "\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"",
	  "is not allowed" },
	{ "[", "\"net.core.somaxconn\":\"77\"",
	  "line 1: bad regular expression \"[\": at \"\": missing ]" },
	{ "somax\n(?i)x", "\"net.core.somaxconn\":\"77\"", "line 2: bad regular expression" },
};

START_TEST(only_what_the_list_allows_is_set)
{
	const char *config = fmt(TUNING(",\"sysctl\":{%s}"), allowed[_i].sysctl), *before;

	sh("mkdir -p /etc/cni/tuning");
	if (allowed[_i].list)
		sh("printf '%%s' '%s' >" ALLOWLIST, allowed[_i].list);
	before = tuning_state();
	if (!allowed[_i].msg) {
		call_ok(on_c1("ADD", config));
		call_ok(on_c1("STATUS", config));
		return;
	}
	call_fails(on_c1("ADD", config), 7, allowed[_i].msg);
	assert_state(before);
	call_fails(on_c1("STATUS", config), 50, allowed[_i].msg);
	/* ADD's business alone. */
	call_ok(on_c1("DEL", config));
}
END_TEST

START_TEST(a_list_that_cannot_be_read_allows_nothing)
{
	static const char config[] = TUNING(",\"sysctl\":{\"net.core.somaxconn\":\"77\"}");
	static const struct {
		const char *make, *msg;
	} lists[] = {
		{ "mkdir -p " ALLOWLIST, "read " ALLOWLIST ": is a directory" },
		{ "ln -s " ALLOWLIST " " ALLOWLIST, "too many levels of symbolic links" },
		{ "mkfifo " ALLOWLIST, "is not allowed" },
		{ "head -c 1048577 /dev/zero >" ALLOWLIST, "file too large" },
		{ "rm -r /etc/cni/tuning; echo >/etc/cni/tuning", "not a directory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		sh("mkdir -p /etc/cni/tuning; rm -rf " ALLOWLIST "; %s", lists[i].make);
		call_fails(on_c1("ADD", config), 7, lists[i].msg);
		call_ok(on_c1("ADD", TUNING(",\"mtu\":1400")));
	}
	ck_assert_str_ne(sysctl_of_c1("core/somaxconn"), "77");
}
END_TEST

/* ---- CHECK ---- */

static const struct {
	const char *damage, *msg, *details;
} damages[] = {
	{ "echo 9 >/proc/sys/net/core/somaxconn",
	  "Error: Tuning configured value of /proc/sys/net/core/somaxconn is 77, current value is "
	  "9",
	  "" },
	{ "ip link set eth0 address " OLD_MAC,
	  "Error: Tuning configured Ethernet of eth0 is " NEW_MAC ", current value is " OLD_MAC,
	  "" },
	{ "ip link set eth0 mtu 1500",
	  "Error: Tuning configured MTU of eth0 is 1400, current value is 1500", "" },
	{ "ip link set eth0 promisc off",
	  "Error: Tuning configured promiscuous mode of eth0 is true, current value is false", "" },
	{ "ip link set eth0 allmulticast off",
	  "Error: Tuning configured all-multicast mode of eth0 is true, current value is false",
	  "" },
	{ "ip link set eth0 txqueuelen 3",
	  "Error: Tuning configured Transmit Queue Length of eth0 is 50, current value is 3", "" },
	{ "ip link del eth0", "Cannot find container link eth0", "" },
	{ "echo 9 >/proc/sys/net/core/somaxconn; ip link set eth0 mtu 1500 txqueuelen 3",
	  "of /proc/sys/net/core/somaxconn is 77, current value is 9",
	  "MTU of eth0 is 1500, not 1400; Transmit Queue Length of eth0 is 3, not 50" },
};

START_TEST(check_names_all_that_differs)
{
	struct reply r;

	call_ok(on_c1("ADD", TUNING(EVERYTHING)));
	call_ok(on_c1("CHECK", TUNING(EVERYTHING)));
	sh_in("c1", "%s", damages[_i].damage);
	r = call_fails(on_c1("CHECK", TUNING(EVERYTHING)), 999, damages[_i].msg);
	ck_assert_str_eq(r.details, damages[_i].details);
	call_ok(on_c1("DEL", TUNING(EVERYTHING)));
}
END_TEST

START_TEST(check_of_a_parameter_that_is_not_there_fails)
{
	call_fails(on_c1("CHECK", TUNING(",\"sysctl\":{\"net.core.xx\":\"1\"}")), 999,
		   "open /proc/sys/net/core/xx: no such file or directory");
}
END_TEST

/* Somebody sniffs in the container: the kernel counts it, but nobody configured it. */
START_TEST(a_sniffer_is_not_promiscuous_mode)
{
	struct packet_mreq mreq = { .mr_type = PACKET_MR_PROMISC };
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int netns = open(c1, O_RDONLY | O_CLOEXEC), sniffer;

	ck_assert_int_eq(setns(netns, CLONE_NEWNET), 0);
	sniffer = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	mreq.mr_ifindex = (int)if_nametoindex("eth0");
	ck_assert_int_eq(
		setsockopt(sniffer, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), 0);
	ck_assert_int_eq(setns(own, CLONE_NEWNET), 0);
	sh_in("c1", "ip -d link show eth0 | grep 'promiscuity 1'");
	call_ok(on_c1("CHECK", TUNING("")));
	call_fails(on_c1("CHECK", TUNING(",\"promisc\":true")), 999, "promiscuous mode");
	call_ok(on_c1("ADD", TUNING(",\"promisc\":true")));
	call_ok(on_c1("CHECK", TUNING(",\"promisc\":true")));
	call_ok(on_c1("DEL", TUNING("")));
	close(sniffer);
	sh_in("c1", "ip -d link show eth0 | grep 'promiscuity 0'");
	close(netns);
	close(own);
}
END_TEST

/* ---- GC and STATUS ---- */

START_TEST(gc_removes_what_is_left_of_its_own_network)
{
	static const char valid[] = BARE(",\"cni.dev/valid-attachments\":[{\"containerID\":"
					 "\"ctr1\",\"ifname\":\"eth0\"}]");
	static const char none[] = BARE(",\"cni.dev/valid-attachments\":null");
	struct call other = on_c1("ADD", "{\"cniVersion\":\"1.1.0\",\"name\":\"net2\",\"type\":"
					 "\"tuning\"," PREV ",\"mtu\":1300}");

	call_ok(on_c1("GC", none)); /* nothing there yet */
	call_ok(on_c1("ADD", TUNING(",\"mtu\":1400")));
	sh("cd " BACKUPS "; cp ctr1_eth0.json ctr2_eth0.json; cp ctr1_eth0.json "
	   "ctr3_eth0.json.new; echo '{\"mtu\":1500}' >ctr4_eth0.json; ln -s ctr1_eth0.json "
	   "ctr5_eth0.json; mkdir ctr6_eth0.json; echo '{' >ctr7_eth0.json; cp ctr1_eth0.json x");
	other.id = "ctr8";
	call_ok(other);
	call_ok(on_c1("GC", BARE(""))); /* nobody said what is valid */
	ck_assert_str_eq(sh("ls " BACKUPS " | wc -l"), "9");
	call_ok(on_c1("GC", valid));
	ck_assert_str_eq(sh("cd " BACKUPS "; echo *"),
			 "ctr1_eth0.json ctr4_eth0.json ctr5_eth0.json ctr6_eth0.json "
			 "ctr7_eth0.json ctr8_eth0.json x");
	ck_assert_str_eq(link_mtu(), "1300"); /* GC touches no link */
	call_ok(on_c1("GC", none));
	ck_assert_int_ne(sh_status("test -e " BACKUPS "/ctr1_eth0.json"), 0);
	ck_assert_int_eq(sh_status("test -e " BACKUPS "/ctr8_eth0.json"), 0);
}
END_TEST

START_TEST(status_tells_when_add_could_not_succeed)
{
	call_ok(on_c1("STATUS", BARE("")));
	call_ok(on_c1("STATUS", BARE(EVERYTHING)));
	call_ok(on_c1("STATUS", TUNING(EVERYTHING)));
	ck_assert_int_ne(sh_status("test -e /run/cni"), 0);
	call_fails(on_c1("STATUS", BARE(",\"mtu\":\"1400\"")), 7, "failed to load netconf: mtu");
	call_fails(on_c1("STATUS", BARE(",\"sysctl\":{\"kernel.x\":\"1\"}")), 7, "kernel/x");
	sh("mkdir /run/ro && mount -t tmpfs -o ro tmpfs /run/ro");
	call_fails(on_c1("STATUS", BARE(",\"mtu\":1400,\"dataDir\":\"/run/ro/x\"")), 50,
		   "backup files can't be written to /run/ro/x: read-only file system");
	call_ok(on_c1("STATUS", BARE(",\"dataDir\":\"/run/ro/x\"")));
}
END_TEST

/* ---- in chains ---- */

START_TEST(bridge_and_tuning_in_a_chain)
{
	static const char bridge[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"isGateway\":"
		"true,"
		"\"ipam\":{\"type\":\"host-local\",\"subnet\":\"10.1.0.0/24\"}}";
	static const char tuning[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"tuning\"" EVERYTHING "}";
	struct call c = on_c1("ADD", bridge);
	struct reply r;

	sh_in("c1", "ip link del eth0");
	r = call_ok(c);
	r = call_ok(on_c1("ADD", with_prev(tuning, r.out)));
	ck_assert_ptr_nonnull(strstr(r.out, NEW_MAC));
	call_ok(on_c1("CHECK", with_prev(bridge, r.out)));
	call_ok(on_c1("CHECK", with_prev(tuning, r.out)));
	sh_in("c1", "ping -c1 -W2 10.1.0.1");
	call_ok(on_c1("DEL", with_prev(tuning, r.out)));
	call_ok(on_c1("DEL", with_prev(bridge, r.out)));
	ck_assert_int_ne(sh_status_in("c1", "ip link show eth0"), 0);
	ck_assert_str_eq(sh("ls -A " BACKUPS), "");
}
END_TEST

/* Runtimes run chains on lo, too. */
START_TEST(loopback_and_tuning_in_a_chain)
{
	static const char loopback[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"lo\",\"type\":\"loopback\"}";
	static const char tuning[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"lo\",\"type\":\"tuning\",\"mtu\":60000,"
		"\"sysctl\":{\"net.ipv4.conf.IFNAME.arp_filter\":\"1\"}}";
	struct call c = on_c1("ADD", loopback);
	struct reply r;

	c.ifname = "lo";
	r = call_ok(c);
	c.config = with_prev(tuning, r.out);
	r = call_ok(c);
	ck_assert_str_eq(sysctl_of_c1("ipv4/conf/lo/arp_filter"), "1");
	ck_assert_str_eq(sh_in("c1", "cat /sys/class/net/lo/mtu"), "60000");
	c.command = "CHECK";
	c.config = with_prev(tuning, r.out);
	call_ok(c);
	c.command = "DEL";
	call_ok(c);
	ck_assert_str_eq(sh_in("c1", "cat /sys/class/net/lo/mtu"), "65536");
	c.config = with_prev(loopback, r.out);
	call_ok(c);
}
END_TEST

START_TEST(results_of_every_version_are_passed_on)
{
	static const struct {
		const char *version, *prev;
	} old[] = {
		{ "0.1.0", "{\"ip4\":{\"ip\":\"10.1.0.2/24\"}}" },
		{ "0.2.0", "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.2/24\"}}" },
		{ "0.3.1", "{\"interfaces\":[{\"name\":\"eth0\",\"mac\":\"" OLD_MAC "\"}]}" },
		{ "0.4.0", "{\"cniVersion\":\"0.3.0\",\"interfaces\":[{\"name\":\"eth0\"}]}" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(old); i++) {
		struct reply r = call_ok(
			on_c1("ADD", fmt("{\"cniVersion\":\"%s\",\"name\":\"net1\",\"type\":"
					 "\"tuning\",\"prevResult\":%s,\"mac\":\"" NEW_MAC "\"}",
					 old[i].version, old[i].prev)));

		ck_assert_str_eq(text_of(r.json, "cniVersion"), old[i].version);
		ck_assert(!strstr(old[i].prev, "eth0") == !strstr(r.out, NEW_MAC));
		ck_assert_str_eq(link_mac(), NEW_MAC);
		call_ok(on_c1("DEL", BARE("")));
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("tuning");
	TCase *tc = tcase_create("tuning");

	tcase_add_checked_fixture(tc, tuning_setup, tuning_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, add_sets_everything_and_del_restores_the_link);
	tcase_add_test(tc, result_is_prev_result_with_the_new_mac_and_mtu);
	tcase_add_loop_test(tc, a_stronger_place_overrides_the_mac_of_a_weaker, 0,
			    ARRAY_SIZE(macs));
	tcase_add_test(tc, args_cni_overrides_each_key);
	tcase_add_test(tc, keys_are_known_whatever_their_case);
	tcase_add_test(tc, a_link_with_dots_in_its_name_is_reached_through_ifname);
	tcase_add_test(tc, values_of_several_words_are_written_and_found);
	tcase_add_test(tc, a_parameter_for_writing_only_is_written);
	tcase_add_test(tc, a_second_add_keeps_the_oldest_values);
	tcase_add_test(tc, a_backup_of_another_link_is_neither_kept_nor_restored);
	tcase_add_test(tc, data_dir_says_where_backups_are);
	tcase_add_test(tc, parameters_alone_need_no_backup_and_no_link);
	tcase_add_loop_test(tc, only_what_the_list_allows_is_set, 0, ARRAY_SIZE(allowed));
	tcase_add_test(tc, a_list_that_cannot_be_read_allows_nothing);
	tcase_add_loop_test(tc, check_names_all_that_differs, 0, ARRAY_SIZE(damages));
	tcase_add_test(tc, check_of_a_parameter_that_is_not_there_fails);
	tcase_add_test(tc, a_sniffer_is_not_promiscuous_mode);
	tcase_add_test(tc, gc_removes_what_is_left_of_its_own_network);
	tcase_add_test(tc, status_tells_when_add_could_not_succeed);
	tcase_add_test(tc, bridge_and_tuning_in_a_chain);
	tcase_add_test(tc, loopback_and_tuning_in_a_chain);
	tcase_add_test(tc, results_of_every_version_are_passed_on);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
