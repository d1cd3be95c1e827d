/*
 * Allocating addresses out of range sets over the lease store, against a plain model in memory: thousands
 * of random requests and releases, by attachments, by another implementation and by hand, over reboots,
 * while the index is deleted, damaged and made stale, and processes are killed. None of that may change an
 * answer.
 */
#include "allocate.h"
#include "store_dir.h"

#include <sys/xattr.h>

enum { RANGES = 3, HOSTS = 32, ALL = RANGES * HOSTS, OWNERS = 120, STEPS = 600 };

/* What lies under an address's name; above, it is an attachment's. */
enum { FREE, TORN, FOREIGN, FIRST };

struct model {
	sa_family_t family;
	struct cni_range range[RANGES];
	struct cni_range_set set;
	unsigned int has[ALL]; /* by address */
	bool old[ALL]; /* and whether that was before the last boot */
	struct cni_ip last;
};

static struct model m;
static struct cni_store store = CNI_STORE_INIT;
static uint64_t state;

/* A number below n; the same ones in every run. */
static unsigned int any(unsigned int n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned int)(state >> 33) % n;
}

/* ---- the model ---- */

/* Hosts of a range lie around a border of 256. */
static struct cni_ip ip_at(unsigned int at)
{
	unsigned int host = 256 - HOSTS / 2 + at % HOSTS;
	struct cni_ip ip = { .family = m.family };
	size_t size = cni_ip_size(&ip);

	ip.b[0] = m.family == AF_INET ? 10 : 0xfd;
	ip.b[size - 3] = (uint8_t)(at / HOSTS);
	ip.b[size - 2] = (uint8_t)(host >> 8);
	ip.b[size - 1] = (uint8_t)host;
	return ip;
}

static unsigned int at_of(const struct cni_ip *ip)
{
	for (unsigned int at = 0; at < ALL; at++) {
		struct cni_ip one = ip_at(at);

		if (cni_ip_cmp(&one, ip) == 0)
			return at;
	}
	return ALL;
}

static bool in_set(unsigned int at)
{
	struct cni_ip ip = ip_at(at);

	for (size_t i = 0; i < m.set.n; i++)
		if (cni_ip_cmp(&ip, &m.range[i].start) >= 0 &&
		    cni_ip_cmp(&ip, &m.range[i].end) <= 0)
			return true;
	return false;
}

static bool is_gateway(unsigned int at)
{
	struct cni_ip ip = ip_at(at);

	return cni_ip_cmp(&ip, &m.range[at / HOSTS].gateway) == 0;
}

/* The next address round robin; ALL if none is free. */
static unsigned int model_next(void)
{
	unsigned int last = m.last.family ? at_of(&m.last) : ALL;
	unsigned int start = last < ALL && in_set(last) ? last + 1 : 0;

	for (unsigned int i = 0; i < ALL; i++) {
		unsigned int at = (start + i) % ALL;

		if (in_set(at) && !is_gateway(at) && m.has[at] < FIRST)
			return at;
	}
	return ALL;
}

static void any_model(sa_family_t family)
{
	m = (struct model){ .family = family };
	m.set = (struct cni_range_set){ m.range, 1 + any(RANGES) };
	for (unsigned int i = 0; i < m.set.n; i++) {
		unsigned int a = any(HOSTS), b = any(HOSTS);

		m.range[i] = (struct cni_range){
			.subnet = { ip_at(i * HOSTS), 20 + i },
			.start = ip_at(i * HOSTS + (a < b ? a : b)),
			.end = ip_at(i * HOSTS + (a < b ? b : a)),
			.gateway = any(8) ? ip_at(any(8) ? i * HOSTS + (a + b) / 2 : any(ALL))
					  : (struct cni_ip){ 0 },
		};
	}
}

/* ---- attachments ---- */

/* Three of each container: of eth0, of eth1, and what leases from before they named one belong to. */
#define OLD 2

static const char *id_of(unsigned int owner)
{
	static char text[32];

	snprintf(text, sizeof(text), "ctr%u", owner / 3);
	return text;
}

static const char *ifname_of(unsigned int owner)
{
	return owner % 3 == 1 ? "eth1" : "eth0";
}

/* Whether a lease is of an attachment with an interface. */
static bool is_of(unsigned int has, unsigned int owner)
{
	return has == FIRST + owner || has == FIRST + owner / 3 * 3 + OLD;
}

static unsigned int owner_of(const struct cni_lease *lease)
{
	unsigned int n = 0;

	ck_assert_int_eq(sscanf(lease->containerid, "ctr%u", &n), 1);
	return FIRST + 3 * n + (lease->ifname ? strcmp(lease->ifname, "eth1") == 0 : OLD);
}

static int note_owner(const struct cni_lease *lease, void *ctx)
{
	unsigned int *has = ctx, at = at_of(&lease->ip);

	ck_assert_uint_lt(at, ALL);
	ck_assert_uint_eq(has[at], FREE); /* each once */
	has[at] = owner_of(lease);
	return 0;
}

/* ---- the same steps in the store and in the model ---- */

static void opened(void)
{
	if (store.dir < 0)
		open_store(&store);
}

/* The leases that an attachment has in the set. @return whether one is not of an old boot */
static bool has_own(unsigned int owner, bool reclaim)
{
	for (unsigned int at = 0; at < ALL; at++)
		if (in_set(at) && is_of(m.has[at], owner) && !(reclaim && m.old[at]))
			return true;
	return false;
}

/* Own leases of an old boot are given up, all of them if nothing is wrong; else who knows how many. */
static void forget_own(unsigned int owner, bool all)
{
	for (unsigned int at = 0; at < ALL; at++) {
		struct cni_ip ip = ip_at(at);

		if (in_set(at) && is_of(m.has[at], owner) && m.old[at] &&
		    (all || cni_store_is_free(&store, &ip)))
			m.has[at] = FREE;
	}
}

static void given(unsigned int owner, const struct cni_ipconf *got)
{
	unsigned int at = at_of(&got->address.ip);

	ck_assert_uint_lt(at, ALL);
	ck_assert_uint_eq(got->address.len, m.range[at / HOSTS].subnet.len);
	ck_assert_int_eq(cni_ip_cmp(&got->gateway, &m.range[at / HOSTS].gateway), 0);
	m.has[at] = FIRST + owner;
	m.old[at] = false;
	m.last = got->address.ip;
}

static void refused(int r, const struct cni_error *err, const char *why)
{
	ck_assert_int_lt(r, 0);
	ck_assert_msg(strstr(err->msg, why) != NULL, "%s instead of %s", err->msg, why);
}

static void step_add(unsigned int owner, const struct cni_ip *wanted, bool reclaim)
{
	struct cni_allocator a = { &store, id_of(owner), ifname_of(owner), reclaim };
	struct cni_ipconf got = { .iface = 7 };
	struct cni_error err = { 0 };
	unsigned int want, at;
	int r;

	opened();
	r = cni_allocate(&a, &m.set, 0, wanted, &got, &err);
	if (has_own(owner, reclaim)) {
		forget_own(owner, false);
		refused(r, &err, "duplicate allocation is not allowed");
		return;
	}
	if (reclaim)
		forget_own(owner, true);
	want = wanted ? at_of(wanted) : model_next();
	if (wanted && is_gateway(want)) {
		refused(r, &err, "is subnet's gateway");
	} else if (wanted && m.has[want] >= FIRST) {
		refused(r, &err, "is not available in range set");
	} else if (want < ALL) {
		ck_assert_msg(r == 0, "%s", err.msg);
		given(owner, &got);
		ck_assert_uint_eq(at_of(&got.address.ip), want);
	} else if (r == 0) {
		/* Somebody's of an old boot, whoever's. */
		at = at_of(&got.address.ip);
		ck_assert(reclaim && in_set(at) && !is_gateway(at) && m.old[at]);
		ck_assert_uint_ge(m.has[at], FIRST);
		given(owner, &got);
	} else {
		refused(r, &err, "no IP addresses available in range set");
		for (at = 0; at < ALL; at++)
			ck_assert(!reclaim || !in_set(at) || is_gateway(at) || m.has[at] < FIRST ||
				  !m.old[at]);
	}
}

static void step_request(unsigned int owner, unsigned int at)
{
	struct cni_ip ip = ip_at(at);

	opened();
	ck_assert_int_eq(cni_store_is_free(&store, &ip), m.has[at] < FIRST);
	if (in_set(at))
		step_add(owner, &ip, any(2));
}

static void step_status(bool reclaim)
{
	struct cni_allocator a = { &store, "any", "any", reclaim };
	struct cni_error err = { 0 };
	bool possible = model_next() < ALL;
	int r;

	opened();
	for (unsigned int at = 0; reclaim && at < ALL; at++)
		possible |= in_set(at) && !is_gateway(at) && m.has[at] >= FIRST && m.old[at];
	r = cni_allocate_possible(&a, &m.set, &err);
	ck_assert_int_eq(r == 0, possible);
	ck_assert(possible || err.code == CNI_E_UNAVAILABLE);
}

/* Say of a lease that it is of another boot. */
static void make_old(unsigned int at, int flags)
{
	static const char id[] = "01234567-89ab-cdef-0123-456789abcdef";
	struct cni_ip ip = ip_at(at);
	char name[CNI_IP_STRLEN];

	cni_ip_format(&ip, name);
	if (setxattr(in_net(name), "user.ccni.boot_id", id, sizeof(id) - 1, flags) == 0)
		m.old[at] = true;
}

/* What was leased by us is now of another boot; others' leases do not say. */
static void step_reboot(void)
{
	cni_store_close(&store);
	for (unsigned int at = 0; at < ALL; at++)
		if (m.has[at] >= FIRST)
			make_old(at, XATTR_REPLACE);
}

static int drop_lease(const struct cni_lease *lease, void *ctx)
{
	unsigned int at = at_of(&lease->ip);

	ck_assert_uint_lt(at, ALL);
	ck_assert_uint_eq(m.has[at], owner_of(lease));
	m.has[at] = FREE;
	++*(int *)ctx;
	return cni_store_release(&store, lease, NULL);
}

static void step_del(unsigned int owner)
{
	int n = 0;

	opened();
	for (unsigned int at = 0; at < ALL; at++)
		n -= is_of(m.has[at], owner);
	ck_assert_int_eq(
		cni_store_each_of(&store, id_of(owner), ifname_of(owner), drop_lease, &n, NULL), 0);
	ck_assert_int_eq(n, 0);
}

/* Owners below this one lose their leases. */
static int collect(const struct cni_lease *lease, void *ctx)
{
	unsigned int keep = *(unsigned int *)ctx, at = at_of(&lease->ip);

	if (owner_of(lease) >= FIRST + keep)
		return 0;
	m.has[at] = FREE;
	return cni_store_release(&store, lease, NULL);
}

static void step_gc(unsigned int keep)
{
	opened();
	ck_assert_int_eq(cni_store_each(&store, collect, &keep, NULL), 0);
	for (unsigned int at = 0; at < ALL; at++)
		ck_assert(m.has[at] < FIRST || m.has[at] >= FIRST + keep);
}

/* Another implementation, or an operator: without the index, and while nobody has the lock. */
static void step_other(unsigned int owner, unsigned int at)
{
	char name[CNI_IP_STRLEN], text[64];
	struct cni_ip ip = ip_at(at);

	cni_store_close(&store);
	cni_ip_format(&ip, name);
	if (m.has[at] != FREE) {
		ck_assert_int_eq(unlink(in_net(name)), 0);
		m.has[at] = FREE;
		m.old[at] = false;
	} else if (any(10) == 0) {
		put(name, "not\na lease");
		m.has[at] = FOREIGN;
	} else if (any(10) == 0) {
		put(name, "");
		m.has[at] = TORN;
	} else {
		snprintf(text, sizeof(text), "%s%s%s", id_of(owner), owner % 3 == OLD ? "" : "\r\n",
			 owner % 3 == OLD ? "" : ifname_of(owner));
		put(name, text);
		m.has[at] = FIRST + owner;
		m.old[at] = false;
		if (any(4) ==
		    0) /* ours, from when the ranges were others: it may be the gateway's */
			make_old(at, 0);
	}
}

/* Whatever may happen to the index. */
static void disturb(void)
{
	static const uint8_t garbage[100] = { 1, 2, 3 };
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = 1000000000 } };
	unsigned int what = any(8);
	cni_auto(fd) int fd = -1;

	opened();
	if (what == 0) {
		kill_store(&store);
		return;
	}
	if (what == 1) {
		cni_index_give_up(&store.index);
		return;
	}
	cni_store_close(&store);
	if (what == 2)
		ck_assert_int_eq(unlink(in_net(CNI_INDEX_FILE)), 0);
	if (what == 3)
		ck_assert_int_eq(utimensat(-1, in_net("."), NULL, 0), 0);
	if (what == 4) /* a clock set back */
		ck_assert_int_eq(utimensat(-1, in_net("."), times, 0), 0);
	if (what == 5)
		ck_assert_int_eq(truncate(in_net(CNI_INDEX_FILE), any(20000)), 0);
	if (what == 6) {
		fd = open(in_net(CNI_INDEX_FILE), O_WRONLY | O_CLOEXEC);
		ck_assert_int_eq(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	}
}

/* ---- comparing ---- */

static void compare(void)
{
	unsigned int has[ALL] = { 0 };

	opened();
	ck_assert_int_eq(cni_store_each(&store, note_owner, has, NULL), 0);
	for (unsigned int at = 0; at < ALL; at++)
		ck_assert_uint_eq(has[at], m.has[at] >= FIRST ? m.has[at] : FREE);
}

static void compare_owner(unsigned int owner)
{
	unsigned int has[ALL] = { 0 };

	opened();
	ck_assert_int_eq(cni_store_each_of(&store, id_of(owner), ifname_of(owner), note_owner, has,
					   NULL),
			 0);
	for (unsigned int at = 0; at < ALL; at++)
		ck_assert_uint_eq(has[at], is_of(m.has[at], owner) ? m.has[at] : FREE);
}

/* Whether the index, asked alone, says what the files say. */
static void compare_index(void)
{
	cni_store_close(&store);
	opened();
	ck_assert(cni_index_usable(&store.index));
	for (unsigned int at = 0; at < ALL; at++) {
		struct cni_ip ip = ip_at(at), got = cni_store_next_free(&store, &ip, &ip);

		ck_assert_int_eq(got.family == AF_UNSPEC, m.has[at] >= FIRST);
	}
}

static void step(unsigned int fill)
{
	unsigned int anybody = any(OWNERS), what = any(100);
	unsigned int owner = anybody % 3 == OLD ? anybody - 1 : anybody;

	if (what < fill)
		step_add(owner, NULL, any(2));
	else if (what < fill + 10)
		step_request(owner, any(ALL));
	else if (what < 82)
		step_del(owner);
	else if (what < 83)
		step_gc(any(OWNERS / 4));
	else if (what < 84)
		step_reboot();
	else if (what < 87)
		step_status(any(2));
	else if (what < 94)
		step_other(anybody, any(ALL));
	else
		disturb();
	if (any(2))
		cni_store_close(&store);
}

START_TEST(addresses_are_given_out_as_the_model_says)
{
	state = 100 + (uint64_t)_i;
	any_model(_i % 2 ? AF_INET6 : AF_INET);
	open_store(&store);
	for (int i = 0; i < STEPS; i++) {
		/* Now rather full, now rather empty. */
		step(i / 100 % 2 ? 65 : 35);
		compare_owner(any(OWNERS / 3) * 3 + any(OLD));
		if (i % 25 == 0)
			compare();
		if (i % 50 == 0)
			compare_index();
	}
	compare();
	cni_store_close(&store);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("allocator");
	TCase *tc = tcase_create("allocator");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, addresses_are_given_out_as_the_model_says, 0, 30);
	return run_suite(suite);
}
