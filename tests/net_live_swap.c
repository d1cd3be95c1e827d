/*
 * The plugins are exchanged on a node at work: while workers attach and detach containers all the time, by
 * bridge, portmap, firewall and tuning in a chain as a runtime calls them, `ccni install` puts ours in the
 * place of the Go plugins, and the Go plugins back, again and again. No request fails, every container reaches
 * its gateway, and nothing is left. So one attachment may be made by some plugins of either set, and end with
 * others: every mixture of the chain is tried besides.
 *
 * CNI_TEST_SWAPS says how often, there and back each time.
 */
#include "peer_state.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define BIN "/run/world/bin"
#define WORKERS 3
#define SWAPS 2

enum { BRIDGE_PLUGIN, PORTMAP, FIREWALL, TUNING, CHAIN };

/* ---- a chain, as libcni calls it ---- */

/*
 * One family, as nerdctl has it; both families, and host ports in nftables. Masquerade in nftables is no case
 * of this: where there is an iptables of the nft kind, a DEL of the Go plugin fails on its own ADD.
 */
static const struct network {
	const char *name, *bridge, *portmap;
	const char *pings; /* that a container makes */
} networks[] = {
	{ "live0",
	  "'bridge':'br0','ipam':{'type':'host-local','routes':[{'dst':'0.0.0.0/0'}],'ranges':[[{"
	  "'subnet':'10.4.0.0/24'}]]}",
	  "'snat':true", "ping -c1 -W5 10.4.0.1" },
	{ "live1",
	  "'bridge':'br1','ipam':{'type':'host-local','routes':[{'dst':"
	  "'0.0.0.0/0'},{'dst':'::/0'}],'ranges':[[{'subnet':'10.4.1.0/24'}],[{'subnet':"
	  "'fd00:4:1::/64'}]]}",
	  "'backend':'nftables'", "ping -c1 -W5 10.4.1.1 && ping -c1 -W5 fd00:4:1::1" },
};
#define NETWORKS (int)(sizeof(networks) / sizeof(networks[0]))

static const char *link_config(int plugin, const struct network *net, int port)
{
	const char *head = fmt("{'cniVersion':'1.0.0','name':'%s','type':", net->name);

	switch (plugin) {
	case BRIDGE_PLUGIN:
		return conf(fmt("%s'bridge','isGateway':true,'ipMasq':true,'hairpinMode':true,%s}",
				head, net->bridge),
			    "");
	case PORTMAP:
		return conf(fmt("%s'portmap',%s,'capabilities':{'portMappings':true},"
				"'runtimeConfig':{'portMappings':[{'HostPort':%d,"
				"'ContainerPort':80,'Protocol':'tcp','HostIP':''}]}}",
				head, net->portmap, port),
			    "");
	case FIREWALL:
		return conf(fmt("%s'firewall','ingressPolicy':'same-bridge'}", head), "");
	default:
		return conf(fmt("%s'tuning','sysctl':{'net.ipv4.conf.IFNAME.arp_filter':'1'},"
				"'mtu':1400}",
				head),
			    "");
	}
}

struct attachment {
	const struct network *net;
	const char *id, *netns;
	int port;
	const char *result; /* of the last ADD */
};

static struct reply call_link(const struct attachment *a, const char *bin, const char *command,
			      int plugin)
{
	const char *config = link_config(plugin, a->net, a->port);

	if (a->result)
		config = with_prev(config, a->result);
	return call((struct call){
		.command = command, .bin = bin, .id = a->id, .netns = a->netns, .config = config });
}

/*
 * Everything but the place where the next search for an address starts, what counters counted, and which of
 * two shared chains leads to the host ports in nftables: that is the choice of the last ADD.
 */
static const char *live_state(void)
{
	return edit(state_text(), "/last_reserved_ip.[0-9]+:/d; s/counter packets.*bytes "
				  "[0-9]+/counter/; /jump hostports_all/d");
}

static void add_chain(struct attachment *a, const char *const bins[CHAIN])
{
	a->result = NULL;
	for (int i = 0; i < CHAIN; i++) {
		struct reply r = call_link(a, bins[i], "ADD", i);

		ck_assert_msg(r.status == 0, "ADD %d: %s%s", i, r.out, r.err);
		a->result = r.out;
	}
}

static void del_chain(const struct attachment *a, const char *const bins[CHAIN])
{
	for (int i = CHAIN - 1; i >= 0; i--) {
		struct reply r = call_link(a, bins[i], "DEL", i);

		ck_assert_msg(r.status == 0, "DEL %d: %s%s", i, r.out, r.err);
	}
}

/* What the network keeps after its first containers: the bridge, tables and chains of either set. */
static const char *state_of_rest(void)
{
	const char *const ours[] = { our_plugins(), our_plugins(), our_plugins(), our_plugins() };
	const char *const theirs[] = { newest_plugins(), newest_plugins(), newest_plugins(),
				       newest_plugins() };
	struct attachment a = { .id = "first", .netns = container_add("c0"), .port = 8000 };

	sh("sysctl -qw net.ipv6.conf.default.accept_dad=0");
	for (int i = 0; i < 2 * NETWORKS; i++) {
		a.net = &networks[i / 2];
		add_chain(&a, i % 2 ? theirs : ours);
		settle_all();
		del_chain(&a, i % 2 ? theirs : ours);
	}
	return live_state();
}

/*
 * What ours write beyond the Go plugins' rules a DEL of theirs does not know: who has a host port, and that
 * published ports come in where FORWARD drops. It is in nobody's way, and GC removes it.
 */
static void collect_garbage(void)
{
	static const char *const types[] = { "firewall", "portmap" };

	for (int i = 0; i < 2 * NETWORKS; i++)
		call_ok((struct call){
			.command = "GC",
			.id = "",
			.ifname = "",
			.config = conf(fmt("{'cniVersion':'1.1.0','name':'%s','type':'%s',"
					   "'cni.dev/valid-attachments':[]}",
					   networks[i / 2].name, types[i % 2]),
				       "") });
}

/* ---- every mixture ---- */

/* Bit n of the mask: the nth plugin is ours at ADD, and theirs at DEL. */
START_TEST(any_mixture_of_a_chain_works)
{
	const char *rest = state_of_rest();
	struct attachment a = { .id = "mixed", .netns = "/run/netns/c0", .port = 8001 };

	for (unsigned int mask = 0; mask < 1U << CHAIN; mask++) {
		const char *add[CHAIN], *del[CHAIN];

		a.net = &networks[(mask ^ mask >> 1 ^ mask >> 2 ^ mask >> 3) % NETWORKS];

		for (int i = 0; i < CHAIN; i++) {
			bool is_ours = mask & 1U << i;

			add[i] = is_ours ? our_plugins() : newest_plugins();
			del[i] = is_ours ? newest_plugins() : our_plugins();
		}
		add_chain(&a, add);
		sh_in("c0", "%s", a.net->pings);
		for (int i = 0; i < CHAIN; i++) {
			struct reply r = call_link(&a, del[i], "CHECK", i);

			ck_assert_msg(r.status == 0, "mask %x, CHECK %d: %s", mask, i, r.out);
		}
		del_chain(&a, del);
		if (mask % 4 == 3) { /* looking takes longer than all the calls */
			collect_garbage();
			same_text(fmt("mask %x and before", mask), rest, live_state());
		}
	}
}
END_TEST

/* ---- live ---- */

/* What workers have done; shared with them. */
struct progress {
	volatile bool stop;
	volatile unsigned long rounds[WORKERS], mixed;
	volatile bool failed;
	char failure[4096]; /* of the one that failed first */
};

static bool is_ours(int plugin)
{
	static const char *const names[] = { "bridge", "portmap", "firewall", "tuning" };
	struct stat a, b;

	return stat(fmt(BIN "/%s", names[plugin]), &a) == 0 && stat(BIN "/ccni", &b) == 0 &&
	       a.st_ino == b.st_ino;
}

static void report(struct progress *p, const struct attachment *a, const char *what, int plugin,
		   const struct reply *r)
{
	if (!__atomic_exchange_n(&p->failed, true, __ATOMIC_SEQ_CST))
		snprintf(p->failure, sizeof(p->failure), "%s: %s of plugin %d, %s: exit %d: %s%s",
			 a->id, what, plugin, is_ours(plugin) ? "ours" : "theirs", r->status,
			 r->out, r->err);
	_exit(1);
}

static void attach_and_detach(struct progress *p, struct attachment *a)
{
	int ours = 0;
	struct reply r;

	for (int i = 0; i < CHAIN; i++) {
		ours += is_ours(i);
		r = call_link(a, BIN, "ADD", i);
		if (r.status != 0)
			report(p, a, "ADD", i, &r);
		a->result = r.out;
	}
	r.status = sh_status_in(strrchr(a->netns, '/') + 1, "%s", a->net->pings);
	if (r.status != 0)
		report(p, a, "ping", BRIDGE_PLUGIN, &r);
	for (int i = CHAIN - 1; i >= 0; i--) {
		ours += is_ours(i);
		r = call_link(a, BIN, "DEL", i);
		if (r.status != 0)
			report(p, a, "DEL", i, &r);
	}
	if (ours > 0 && ours < 2 * CHAIN)
		p->mixed++;
}

static pid_t start_worker(struct progress *p, int n, const char *netns)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid > 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!p->stop) {
		struct attachment a = { .net = &networks[n % NETWORKS],
					.id = fmt("worker%d-%lu", n, p->rounds[n]),
					.netns = netns,
					.port = 8001 + n };

		attach_and_detach(p, &a);
		p->rounds[n]++;
	}
	_exit(0);
}

/* Until every worker has gone round once more, and so met what is installed now. */
static void wait_for_rounds(struct progress *p)
{
	unsigned long goal[WORKERS];
	time_t deadline = time(NULL) + 100;

	for (int i = 0; i < WORKERS; i++)
		goal[i] = p->rounds[i] + 2;
	for (int i = 0; i < WORKERS; i++)
		while (p->rounds[i] < goal[i]) {
			struct timespec poll = { 0, 1000000 };

			ck_assert_msg(!p->failed, "%s", p->failure);
			ck_assert_msg(time(NULL) < deadline, "worker %d stands still", i);
			nanosleep(&poll, NULL);
		}
}

START_TEST(no_request_fails_while_the_plugins_are_exchanged)
{
	const char *rest = state_of_rest(), *files;
	struct progress *p =
		mmap(NULL, sizeof(*p), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int swaps = getenv("CNI_TEST_SWAPS") ? atoi(getenv("CNI_TEST_SWAPS")) : SWAPS, status;
	pid_t pid[WORKERS];

	ck_assert(p != MAP_FAILED);
	sh("mkdir " BIN " && cd %s && cp -p bridge portmap firewall tuning host-local dhcp " BIN,
	   newest_plugins());
	files = sh("cd " BIN " && find . -type f -printf '%%p %%i %%m %%T@ %%s\\n' | sort");
	for (int i = 0; i < WORKERS; i++)
		pid[i] = start_worker(p, i, container_add(fmt("w%d", i)));
	for (int i = 0; i < 2 * swaps; i++) {
		wait_for_rounds(p);
		sh("%s/ccni install --bindir " BIN " %s", our_plugins(),
		   i % 2 ? "--restore" : "--backup");
	}
	wait_for_rounds(p);
	p->stop = true;
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_msg(status == 0 && !p->failed, "worker %d: status %x: %s", i, status,
			      p->failure);
	}
	same_text("the directory", files,
		  sh("cd " BIN " && find . -type f -printf '%%p %%i %%m %%T@ %%s\\n' | sort"));
	for (int i = 0; i < WORKERS; i++)
		container_del(fmt("w%d", i));
	collect_garbage();
	same_text("what is left", rest, live_state());
	printf("%lu, %lu, %lu attachments; %lu by both sets\n", p->rounds[0], p->rounds[1],
	       p->rounds[2], p->mixed);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("live swap");
	TCase *tc = tcase_create("live swap");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 1400);
	if (peer_has(getenv("CNI_PEER_DIR"), "bridge")) {
		tcase_add_test(tc, any_mixture_of_a_chain_works);
		tcase_add_test(tc, no_request_fails_while_the_plugins_are_exchanged);
	}
	suite_add_tcase(suite, tc);
	return peer_main(suite, "bridge");
}
