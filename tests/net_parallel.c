/*
 * 64 ADDs at once on a bridge that is not there yet, then 64 DELs at once, again and again: no
 * address is given twice, every container reaches its gateway, and nothing is left.
 */
#include "same_world.h"

#include <stdlib.h>

#define CONTAINERS 64

/* With AddressSanitizer a process costs several times as much: fewer rounds, for the same time. */
#if defined(__SANITIZE_ADDRESS__)
#define ROUNDS 5
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ROUNDS 5
#endif
#endif
#ifndef ROUNDS
#define ROUNDS 20
#endif

static const char config[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"macspoofchk\":true,\"ipam\":{\"type\":\"host-"
	"local\",\"ranges\":["
	"[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]]}}";

static const char *netns[CONTAINERS], *id[CONTAINERS];

static void setup(void)
{
	world_setup();
	no_link_local();
	for (int i = 0; i < CONTAINERS; i++) {
		netns[i] = container_add(fmt("c%d", i));
		id[i] = fmt("ctr%d", i);
	}
}

static void call_all(const char *command, struct reply replies[CONTAINERS])
{
	struct running *running[CONTAINERS];
	int failed = 0;

	for (int i = 0; i < CONTAINERS; i++)
		running[i] = call_start((struct call){
			.command = command, .id = id[i], .netns = netns[i], .config = config });
	for (int i = 0; i < CONTAINERS; i++) {
		replies[i] = call_wait(running[i]);
		if (replies[i].status == 0 && !*replies[i].err)
			continue;
		fprintf(stderr, "%s of %s: exit status %d, %s%s\n", command, id[i],
			replies[i].status, replies[i].out, replies[i].err);
		failed++;
	}
	ck_assert_msg(failed == 0, "%d of %d %s failed", failed, CONTAINERS, command);
}

static const char *address(const struct reply *r, size_t family)
{
	json_t *ip = json_array_get(json_object_get(r->json, "ips"), family);
	const char *text = json_string_value(json_object_get(ip, "address"));

	ck_assert_msg(text != NULL, "no address in %s", r->out);
	return text;
}

static void assert_all_different(const struct reply replies[CONTAINERS])
{
	for (size_t family = 0; family < 2; family++)
		for (int i = 0; i < CONTAINERS; i++)
			for (int k = 0; k < i; k++)
				ck_assert_str_ne(address(&replies[i], family),
						 address(&replies[k], family));
}

/* What the results say is what there is. */
static void assert_attached(const struct reply *r, int i)
{
	const char *container = fmt("c%d", i);

	ck_assert_str_eq(sh_in(container, "ip -4 -o addr show eth0 | awk '{print $4}'"),
			 address(r, 0));
	sh_in(container, "ping -c1 -W2 10.1.0.1 && ping -c1 -W2 fd00::1");
}

START_TEST(many_at_once)
{
	static struct reply replies[CONTAINERS];

	call_all("ADD", replies);
	assert_all_different(replies);
	for (int i = _i % 8; i < CONTAINERS; i += 8)
		assert_attached(&replies[i], i);
	ck_assert_str_eq(sh("ip -o link show master br0 | wc -l"), fmt("%d", CONTAINERS));
	ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | grep -c '^[0-9f].*[.:]'"),
			 fmt("%d", 2 * CONTAINERS));
	ck_assert_str_eq(masqueraded("ctr"), fmt("%d", 2 * CONTAINERS));
	ck_assert_str_eq(
		sh("nft list chain bridge nat PREROUTING 2>/dev/null | grep -c macspoofchk"),
		fmt("%d", CONTAINERS));
	ck_assert_str_eq(sh("ip -4 -o addr show br0 | awk '{print $4}'"), "10.1.0.1/24");
	call_all("DEL", replies);
	ck_assert_str_eq(sh("ip -o link show type veth"), "");
	ck_assert_str_eq(sh("ls /var/lib/cni/networks/net1 | xargs"),
			 "last_reserved_ip.0 last_reserved_ip.1 lock");
	ck_assert_str_eq(masqueraded("ctr"), "0");
	ck_assert_int_eq(sh_status("nft list ruleset 2>/dev/null | grep macspoofchk-ctr"), 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parallel");
	TCase *tc = tcase_create("parallel");

	/* Each round has a world of its own, and so begins without a bridge. */
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, many_at_once, 0, ROUNDS);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
