/*
 * Each request for memory fails in turn: an ADD gives the whole result, or an error object and leaves nothing; a GC
 * that succeeds has read the whole list; no rule of nf_tables is made that nobody would find again. jansson and
 * libnftnl go on without what they have no memory for.
 */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEVER 100000
#define COUNTED "/run/allocated"

#define CONFIG                                                                               \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"host-local\","               \
	"\"cni.dev/valid-attachments\":[{\"containerID\":\"another\",\"ifname\":\"eth0\"}]," \
	"\"ipam\":{\"dataDir\":\"%s\",\"resolvConf\":\"/run/resolv.conf\","                  \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"                                              \
	"\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]]}}"

/* A call whose n-th request for memory fails. @return whether there was one */
static bool call_without(struct call c, int n, struct reply *ret)
{
	FILE *f;
	int calls = -1;

	(void)unlink(COUNTED);
	c.bin = plain_plugins();
	c.wrapper = fmt("env LD_PRELOAD=" ALLOCATED " ALLOCATED=" COUNTED " ALLOCATED_FAILS=%d", n);
	*ret = call(c);
	f = fopen(COUNTED, "re");
	ck_assert_msg(f && fscanf(f, "%*d %d", &calls) == 1, "at %d: exit %d, %s%s", n, ret->status,
		      ret->out, ret->err);
	fclose(f);
	return calls >= n;
}

static struct call of(const char *command, const char *config)
{
	return (struct call){ .command = command, .netns = "/run/netns/c1", .config = config };
}

static void assert_refused(const struct reply *r, int n)
{
	ck_assert_msg(r->status == 1 && r->code > 0 && *r->msg, "at %d: exit %d, %s%s", n,
		      r->status, r->out, r->err);
}

/* host-local with a store of its own for each call */
static bool call_local(const char *command, int n, struct reply *ret)
{
	return call_without(of(command, fmt(CONFIG, fmt("/run/store%d", n))), n, ret);
}

static bool is_leased(int n, const char *address)
{
	return access(fmt("/run/store%d/net1/%s", n, address), F_OK) == 0;
}

START_TEST(an_add_without_memory_fails_or_gives_the_whole_result)
{
	struct reply whole, r;

	sh("printf 'nameserver 1.1.1.1\nsearch a b\ndomain c\noptions d\n' >/run/resolv.conf");
	ck_assert(!call_local("ADD", NEVER, &whole));
	ck_assert_int_eq(whole.status, 0);
	for (int n = 1; call_local("ADD", n, &r); n++) {
		if (r.status == 0) {
			ck_assert_str_eq(r.out, whole.out);
			continue;
		}
		assert_refused(&r, n);
		ck_assert(!is_leased(n, "10.1.0.2") && !is_leased(n, "fd00::2"));
	}
}
END_TEST

START_TEST(a_gc_without_memory_fails_or_has_read_the_whole_list)
{
	struct reply r;
	bool tried = true;

	for (int n = 1; tried; n++) {
		const char *dir = fmt("/run/store%d", n);
		FILE *f;

		ck_assert_int_eq(mkdir(dir, 0755) | mkdir(fmt("%s/net1", dir), 0755), 0);
		f = fopen(fmt("%s/net1/10.1.0.2", dir), "we");
		ck_assert(f && fputs("ctr1\r\neth0", f) >= 0 && fclose(f) == 0);
		tried = call_local("GC", n, &r);
		ck_assert_msg(r.status == is_leased(n, "10.1.0.2"), "at %d: exit %d, %s", n,
			      r.status, r.out);
	}
}
END_TEST

static const char *const attachments[] = {
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"macspoofchk\":true}",
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"ptp\",\"ipMasq\":true,"
	"\"ipMasqBackend\":\"nftables\",\"ipam\":{\"type\":\"static\",\"addresses\":["
	"{\"address\":\"10.1.0.2/24\",\"gateway\":\"10.1.0.1\"},"
	"{\"address\":\"fd00::2/64\",\"gateway\":\"fd00::1\"}]}}",
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"macvlan\",\"master\":\"lan0\","
	"\"ipam\":{\"type\":\"static\",\"addresses\":["
	"{\"address\":\"10.1.0.2/24\",\"gateway\":\"10.1.0.1\"},"
	"{\"address\":\"fd00::2/64\",\"gateway\":\"fd00::1\"}]}}",
};
#define ATTACHMENTS (int)(sizeof(attachments) / sizeof(attachments[0]))

/* @return a container's links besides lo */
static const char *links_of(const char *container)
{
	return sh_in(container, "ip -o link | grep -v ': lo:' || true");
}

START_TEST(nothing_is_made_that_is_not_found_again)
{
	struct call add = of("ADD", attachments[_i]), del = of("DEL", attachments[_i]);
	struct reply r;

	sh("ip link add lan0 type bridge && ip link set lan0 up"); /* macvlan's master */
	container_add("c1");
	sh_in("c1", "sysctl -qw net.ipv6.conf.default.accept_dad=0"); /* detection takes time */
	ck_assert(!call_without(add, NEVER, &r));
	del.bin = plain_plugins();
	call_ok(del);
	for (int n = 1; call_without(add, n, &r); n++) {
		if (r.status == 0) {
			call_ok(del);
			continue;
		}
		assert_refused(&r, n);
		ck_assert_msg(!*links_of("c1"), "at %d: %s", n, links_of("c1"));
	}
	call_ok(del);
	ck_assert_str_eq(sh("nft list ruleset | grep 'macspoofchk-\\|masquerade comment' || true"),
			 "");
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(links_of("c1"), "");
}
END_TEST

/* Limits stand behind what another plugin made, which stays, and with it what it sends by if the result can't be printed. */
START_TEST(what_a_container_sends_is_limited_or_nothing_is_made_for_it)
{
	static const char limits[] =
		"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"bandwidth\","
		"\"ingressRate\":1000000,\"ingressBurst\":800000,\"egressRate\":1000000,"
		"\"egressBurst\":800000,\"prevResult\":{\"cniVersion\":\"1.1.0\","
		"\"interfaces\":[{\"name\":\"veth0\"}]}}";
	struct call add = of("ADD", limits), del = of("DEL", limits);
	struct reply whole, r;

	container_add("c1");
	sh("ip link add veth0 type veth peer name eth0 netns c1");
	ck_assert(!call_without(add, NEVER, &whole));
	del.bin = plain_plugins();
	call_ok(del);
	for (int n = 1; call_without(add, n, &r); n++) {
		const char *made = sh("ip -o link show type ifb | wc -l; tc qdisc show | "
				      "grep -c 'ingress\\|tbf' || :");

		if (r.status != 0) {
			assert_refused(&r, n);
			ck_assert_msg(*made == '0', "at %d: %s", n, made);
			continue;
		}
		ck_assert_msg(strcmp(made, "1\n3") == 0, "at %d: %s", n, made);
		ck_assert_msg(json_array_size(json_object_get(r.json, "interfaces")) == 2,
			      "at %d: %s", n, r.out);
		call_ok(del);
	}
}
END_TEST

START_TEST(leases_are_listed_whole_or_not_at_all)
{
	static const char *const plugins[] = { "ccni leases", "ccni leases --json" };

	sh("mkdir -p /var/lib/cni/networks/net1; cd /var/lib/cni/networks/net1; "
	   "for i in 2 3 4; do printf 'ctr%%s\\r\\neth0' $i >10.1.0.$i; done");
	for (size_t i = 0; i < 2; i++) {
		struct call c = { .command = "", .plugin = plugins[i] };
		struct reply whole, r;

		ck_assert(!call_without(c, NEVER, &whole));
		ck_assert_ptr_nonnull(strstr(whole.out, "10.1.0.4"));
		for (int n = 1; call_without(c, n, &r); n++) {
			ck_assert_str_eq(r.out, r.status == 0 ? whole.out : "");
			ck_assert_msg(r.status < 2, "at %d: exit %d", n, r.status);
		}
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("memory");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, an_add_without_memory_fails_or_gives_the_whole_result);
	tcase_add_test(tc, a_gc_without_memory_fails_or_has_read_the_whole_list);
	tcase_add_loop_test(tc, nothing_is_made_that_is_not_found_again, 0, ATTACHMENTS);
	tcase_add_test(tc, what_a_container_sends_is_limited_or_nothing_is_made_for_it);
	tcase_add_test(tc, leases_are_listed_whole_or_not_at_all);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
