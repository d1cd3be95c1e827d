/*
 * firewall behind bridge, by packets: who reaches whom under each ingressPolicy, and what comes through
 * where FORWARD's policy is DROP, as Docker sets it. Containers a and c are on bridge br1, b is on br2;
 * "outside" is a neighbour of the host with routes to both.
 */
#include "iptables_kind.h"
#include "peer_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PORT 80
/* Seconds to wait for an answer that is wanted, and for one that is not. */
#define PATIENCE "10"
#define IMPATIENCE "0.4"

#define BRIDGE(net, bridge, v4, v6)                                                       \
	"{'cniVersion':'1.0.0','name':'" net "','type':'bridge','bridge':'" bridge        \
	"','isDefaultGateway':true,'ipam':{'type':'host-local','ranges':[[{'subnet':'" v4 \
	"'}],[{'subnet':'" v6 "'}]]}}"

static const struct member {
	const char *name, *net, *bridge;
} a = { "a", "net1", BRIDGE("net1", "br1", "10.1.0.0/24", "fd01::/64") },
  c = { "c", "net1", BRIDGE("net1", "br1", "10.1.0.0/24", "fd01::/64") },
  b = { "b", "net2", BRIDGE("net2", "br2", "10.2.0.0/24", "fd02::/64") };

/* In the order of ADD: a, c, b. */
#define A4 "10.1.0.2"
#define C4 "10.1.0.3"
#define B4 "10.2.0.2"
#define A6 "fd01::2"
#define OUT4 "198.51.100.2"
#define HOST4 "198.51.100.1"
#define OUT6 "2001:db8::2"
#define HOST6 "2001:db8::1"

static int kind;

static void setup(void)
{
	world_setup();
	kinds_make();
	sh("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; "
	   "sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.ipv4.ip_forward=1 "
	   "net.ipv6.conf.all.forwarding=1");
	container_add("outside");
	sh("ip link add uplink type veth peer name uplink netns outside && ip link set uplink up "
	   "&& "
	   "ip addr add " HOST4 "/24 dev uplink && ip addr add " HOST6 "/64 dev uplink nodad");
	sh_in("outside",
	      "ip link set lo up && ip link set uplink up && ip addr add " OUT4
	      "/24 dev uplink && ip addr add " OUT6 "/64 dev uplink nodad && "
	      "ip route add default via " HOST4 " && ip -6 route add default via " HOST6);
}

/* ---- attaching ---- */

static const char *keys_of(const struct member *m, const char *keys)
{
	return fmt("{'cniVersion':'1.0.0','name':'%s','type':'firewall'%s}", m->net, keys);
}

static struct reply firewall(const char *command, const struct member *m, const char *keys,
			     const char *prev)
{
	const char *text = conf(keys_of(m, keys), "");

	return call_ok((struct call){ .command = command,
				      .id = m->name,
				      .netns = fmt("/run/netns/%s", m->name),
				      .config = prev ? with_prev(text, prev) : text,
				      .wrapper = on_kind(kind) });
}

/* @return the result of the chain; @p keys NULL: without firewall */
static const char *attach(const struct member *m, const char *keys)
{
	struct reply r;

	container_add(m->name);
	r = call_ok((struct call){ .command = "ADD",
				   .id = m->name,
				   .netns = fmt("/run/netns/%s", m->name),
				   .config = conf(m->bridge, "") });
	return keys ? firewall("ADD", m, keys, r.out).out : r.out;
}

static void attach_all(const char *keys1, const char *keys2)
{
	attach(&a, keys1);
	attach(&c, keys1);
	attach(&b, keys2);
}

/* ---- traffic ---- */

static void ping(const char *from, const char *to, bool answered)
{
	int status =
		sh_status_in(from, "ping -q -c1 -W%s %s", answered ? PATIENCE : IMPATIENCE, to);

	ck_assert_msg((status == 0) == answered, "%s to %s: ping's exit status %d", from, to,
		      status);
}

/* In a container: answer every connection with its name, until the test's process ends. */
static void serve(const char *name, int family)
{
	int ready[2], netns = open(fmt("/run/netns/%s", name), O_RDONLY | O_CLOEXEC);
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	const struct sockaddr *any = family == AF_INET ? (void *)&any4 : (void *)&any6;
	int listener, yes = 1;
	char byte;

	ck_assert_int_ge(netns, 0);
	ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
	if (fork() == 0) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setns(netns, CLONE_NEWNET) < 0)
			_exit(2);
		listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if ((family == AF_INET6 &&
		     setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) < 0) ||
		    bind(listener, any, family == AF_INET ? sizeof(any4) : sizeof(any6)) < 0 ||
		    listen(listener, 16) < 0 || write(ready[1], "", 1) != 1)
			_exit(3);
		for (;;) {
			int client = accept(listener, NULL, NULL);

			if (client < 0 || dprintf(client, "%s\n", name) < 0)
				_exit(4);
			close(client);
		}
	}
	close(ready[1]);
	close(netns);
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static void connect_to(const char *from, const char *to, int port, bool answered)
{
	int status = sh_status_in(from, "timeout %s bash -c 'read -r x </dev/tcp/%s/%d && test $x'",
				  answered ? PATIENCE : IMPATIENCE, to, port);

	ck_assert_msg((status == 0) == answered, "%s to %s port %d: exit status %d", from, to, port,
		      status);
}

static const char *ipt(int family)
{
	return fmt("/usr/sbin/xtables-%s-multi ip%stables", kind_names[kind],
		   family == AF_INET ? "" : "6");
}

/* A published port, made by hand: what portmap does. */
static void publish(int family, int port, const char *to)
{
	sh("%s -t nat -A PREROUTING -p tcp --dport %d -d %s -j DNAT --to-destination %s",
	   ipt(family), port, family == AF_INET ? HOST4 : HOST6, to);
}

/* ---- ingressPolicy ---- */

#define POLICY(name) ",'ingressPolicy':'" name "'"

/* The table of the reference: rows are configurations, columns are directions. */
static const struct row {
	const char *keys1, *keys2;
	int nf_call; /* net.bridge.bridge-nf-call-iptables */
	bool a_to_b, b_to_a, a_to_c, a_to_outside, outside_to_a, a_to_gateway_of_b;
} rows[] = {
	{ "", "", 0, true, true, true, true, true, true },
	{ POLICY("same-bridge"), POLICY("same-bridge"), 0, false, false, true, true, true, true },
	{ POLICY("isolated"), POLICY("isolated"), 0, false, false, true, true, true, true },
	{ POLICY("isolated"), POLICY("isolated"), 1, false, false, false, true, true, true },
	{ POLICY("same-bridge"), "", 0, true, true, true, true, true, true },
};

START_TEST(who_reaches_whom)
{
	const struct row *row = &rows[_i / KINDS];

	kind = _i % KINDS;
	attach_all(row->keys1, row->keys2);
	sh("sysctl -qw net.bridge.bridge-nf-call-iptables=%d", row->nf_call);
	ping("a", B4, row->a_to_b);
	ping("b", A4, row->b_to_a);
	ping("a", C4, row->a_to_c);
	ping("a", OUT4, row->a_to_outside);
	ping("outside", A4, row->outside_to_a);
	ping("a", "10.2.0.1", row->a_to_gateway_of_b);
	ping("a", "fd02::2", row->a_to_b);
	ping("outside", A6, row->outside_to_a);
}
END_TEST

/* ---- FORWARD's policy is DROP ---- */

static void forward_drop(void)
{
	sh("%s -P FORWARD DROP && %s -P FORWARD DROP", ipt(AF_INET), ipt(AF_INET6));
}

START_TEST(only_what_the_container_begins_and_what_is_published_comes_through)
{
	static const int families[] = { AF_INET, AF_INET6 };

	kind = _i;
	forward_drop();
	attach(&a, "");
	attach(&b, NULL);
	for (int i = 0; i < 2; i++) {
		int family = families[i];
		const char *host = i ? HOST6 : HOST4, *self = i ? A6 : A4, *out = i ? OUT6 : OUT4;

		serve("a", family);
		serve("b", family);
		serve("outside", family);
		publish(family, 8080, i ? "[" A6 "]:80" : A4 ":80");
		publish(family, 8081, i ? "[fd02::2]:80" : B4 ":80");
		connect_to("a", out, PORT, true);
		connect_to("b", out, PORT, false); /* no firewall in its chain */
		connect_to("outside", self, PORT, false); /* not published */
		ping("outside", self, false);
		connect_to("outside", host, 8080, true);
		connect_to("outside", host, 8081, false); /* published, but not let through */
	}
}
END_TEST

START_TEST(after_del_nothing_comes_through)
{
	const char *prev;

	kind = _i;
	forward_drop();
	prev = attach(&a, "");
	serve("a", AF_INET);
	publish(AF_INET, 8080, A4 ":80");
	connect_to("outside", HOST4, 8080, true);
	firewall("DEL", &a, "", _i ? prev : NULL);
	connect_to("outside", HOST4, 8080, false);
	ping("a", OUT4, false);
}
END_TEST

START_TEST(published_ports_can_be_left_to_others)
{
	kind = _i;
	forward_drop();
	attach(&a, ",'acceptPublishedPorts':false");
	serve("a", AF_INET);
	publish(AF_INET, 8080, A4 ":80");
	ping("a", OUT4, true);
	connect_to("outside", HOST4, 8080, false);
	ck_assert_ptr_null(strstr(filter_rules(kind), "--ctstate DNAT"));
	firewall("DEL", &a, "", NULL);
	ck_assert_ptr_null(strstr(filter_rules(kind), A4));
}
END_TEST

/* Whatever was there first, the operator's chain is asked before anything is let through. */
START_TEST(the_operators_chain_comes_first)
{
	kind = _i;
	forward_drop();
	attach(&c, ",'iptablesAdminChainName':'FIRST-ADMIN'"); /* has A4 */
	attach(&a, "");
	serve("a", AF_INET);
	publish(AF_INET, 8080, C4 ":80");
	connect_to("outside", HOST4, 8080, true);
	sh("%s -A CNI-ADMIN -s " OUT4 " -j DROP", ipt(AF_INET));
	connect_to("outside", HOST4, 8080, false);
	sh("%s -F CNI-ADMIN && %s -A FIRST-ADMIN -s " OUT4 " -j DROP", ipt(AF_INET), ipt(AF_INET));
	connect_to("outside", HOST4, 8080, false);
}
END_TEST

/* Isolation is asked before published ports are let through, as with the Go plugin. */
START_TEST(a_published_port_does_not_open_an_isolated_bridge)
{
	kind = _i;
	forward_drop();
	attach(&a, POLICY("same-bridge"));
	attach(&b, POLICY("same-bridge"));
	serve("a", AF_INET);
	publish(AF_INET, 8080, A4 ":80");
	connect_to("outside", HOST4, 8080, true);
	connect_to("b", HOST4, 8080, false);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("firewall's packets");
	TCase *tc = tcase_create("packets");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, who_reaches_whom, 0, (int)(sizeof(rows) / sizeof(rows[0])) * KINDS);
	tcase_add_loop_test(tc, only_what_the_container_begins_and_what_is_published_comes_through,
			    0, KINDS);
	tcase_add_loop_test(tc, after_del_nothing_comes_through, 0, KINDS);
	tcase_add_loop_test(tc, published_ports_can_be_left_to_others, 0, KINDS);
	tcase_add_loop_test(tc, the_operators_chain_comes_first, 0, KINDS);
	tcase_add_loop_test(tc, a_published_port_does_not_open_an_isolated_bridge, 0, KINDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
