/*
 * ADD and DEL while somebody else makes and deletes veth pairs, as many as the kernel makes beside us and
 * two in each millisecond at most, and 500 links are there all the time: no call fails, every container
 * has its address, nothing is left, and no table of links, addresses or routes is asked for.
 *
 * CNI_TEST_CHURN says how often; 10,000 is the size to run at night, with the release build.
 */
#include "same_world.h"
#include "trace.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 100
#define PAIRS_PER_MS 2
/* Links are deleted all at once, by their group: one by one the kernel waits for each. */
#define GROUP 7700
#define LIFE_MS 20

static const char config[] =
	"{\"cniVersion\":\"1.0.0\",\"name\":\"net1\",\"type\":\"bridge\",\"bridge\":\"br0\","
	"\"isDefaultGateway\":true,\"ipMasq\":true,\"ipMasqBackend\":\"nftables\",\"ipam\":"
	"{\"type\":\"host-local\",\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],"
	"[{\"subnet\":\"fd00::/64\"}]]}}";

/* What the other one has done so far; shared with it. */
struct churn {
	volatile unsigned long made, deleted, refused;
};

/* ---- the other one ---- */

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	char attributes[512];
};

/* @return the attribute, which grows by what is put behind it until end() */
static struct rtattr *put(struct request *r, unsigned short type, const void *data, size_t len)
{
	struct rtattr *a = (struct rtattr *)(void *)((char *)r + NLMSG_ALIGN(r->head.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(a), data, len);
	r->head.nlmsg_len = NLMSG_ALIGN(r->head.nlmsg_len) + (unsigned int)RTA_ALIGN(a->rta_len);
	return a;
}

static void end(const struct request *r, struct rtattr *a)
{
	a->rta_len = (unsigned short)((const char *)r + r->head.nlmsg_len - (const char *)a);
}

/* @return whether the kernel did it */
static bool request(int fd, struct request *r)
{
	char answer[4096];

	r->head.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	if (send(fd, r, r->head.nlmsg_len, 0) < 0 || recv(fd, answer, sizeof(answer), 0) < 0)
		return false;
	return ((struct nlmsgerr *)NLMSG_DATA((struct nlmsghdr *)(void *)answer))->error == 0;
}

static bool make_pair(int fd, unsigned long n)
{
	struct request r = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)),
				       .nlmsg_type = RTM_NEWLINK,
				       .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL } };
	struct rtattr *info, *data, *peer;
	struct ifinfomsg none = { 0 };
	char name[IFNAMSIZ];
	uint32_t group = GROUP;

	snprintf(name, sizeof(name), "churn%lu", n % 100000);
	put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	put(&r, IFLA_GROUP, &group, sizeof(group));
	info = put(&r, IFLA_LINKINFO, NULL, 0);
	put(&r, IFLA_INFO_KIND, "veth", 4);
	data = put(&r, IFLA_INFO_DATA, NULL, 0);
	peer = put(&r, VETH_INFO_PEER, &none, sizeof(none));
	snprintf(name, sizeof(name), "peer%lu", n % 100000);
	put(&r, IFLA_IFNAME, name, strlen(name) + 1);
	end(&r, peer);
	end(&r, data);
	end(&r, info);
	return request(fd, &r);
}

static bool delete_pairs(int fd)
{
	struct request r = { .head = { .nlmsg_len = NLMSG_LENGTH(sizeof(r.link)),
				       .nlmsg_type = RTM_DELLINK } };
	uint32_t group = GROUP;

	put(&r, IFLA_GROUP, &group, sizeof(group));
	return request(fd, &r);
}

static void churn(struct churn *c)
{
	struct itimerspec every = { { 0, 1000000 }, { 0, 1000000 } };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t ticks, waited = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (fd < 0 || timer < 0 || timerfd_settime(timer, 0, &every, NULL) < 0)
		_exit(1);
	while (read(timer, &ticks, sizeof(ticks)) == sizeof(ticks)) {
		/* What was missed because the kernel was busy is made up for. */
		for (uint64_t i = 0; i < PAIRS_PER_MS * ticks && i < 100; i++) {
			if (make_pair(fd, c->made))
				c->made++;
			else
				c->refused++;
		}
		waited += ticks;
		if (waited >= LIFE_MS && delete_pairs(fd)) {
			c->deleted = c->made;
			waited = 0;
		}
	}
	_exit(1);
}

/* ---- ours ---- */

static struct churn *other;

static void setup(void)
{
	world_setup();
	no_link_local();
	sh("for i in $(seq 250); do echo link add still$i type veth peer name quiet$i; done | "
	   "ip -batch -");
	container_add("c1");
	container_add("c2");
	other = mmap(NULL, sizeof(*other), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ck_assert_ptr_ne(other, MAP_FAILED);
}

static struct call of(const char *command, int n)
{
	return (struct call){ .command = command,
			      .id = n % 2 ? "ctr1" : "ctr2",
			      .netns = n % 2 ? "/run/netns/c1" : "/run/netns/c2",
			      .config = config };
}

static void assert_no_dump(const struct seen *s)
{
	/* DEL lists our own chain of masquerade rules (nfnetlink, NFT_MSG_GETRULE). */
	ck_assert_msg(s->dumps == 0 || (s->dumps == 1 && strstr(s->dump, "nlmsg_type=0xa<<8|0x7")),
		      "%d dumps, the last one: %s", s->dumps, s->dump);
}

/* One round of one container; every 25th is watched. */
static void round_of(int n)
{
	if (n % 25 == 0) {
		struct seen add = look(of("ADD", n)), del;

		ck_assert_int_eq(add.dumps, 0);
		del = look(of("DEL", n));
		assert_no_dump(&del);
		return;
	}
	call_ok(of("ADD", n));
	if (n % 25 == 1)
		sh_in(n % 2 ? "c1" : "c2", "ping -c1 -W5 10.1.0.1 && ping -c1 -W5 fd00::1");
	call_ok(of("DEL", n));
}

START_TEST(others_who_make_and_delete_links_disturb_nobody)
{
	const char *size = getenv("CNI_TEST_CHURN");
	int rounds = size ? atoi(size) : ROUNDS, status;
	struct timespec begun, ended;
	double ms;
	pid_t pid;

	call_ok(of("ADD", 0));
	call_ok(of("DEL", 0));
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		churn(other);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (int n = 0; n < rounds; n++)
		round_of(n);
	clock_gettime(CLOCK_MONOTONIC, &ended);
	ms = (double)(ended.tv_sec - begun.tv_sec) * 1e3 +
	     (double)(ended.tv_nsec - begun.tv_nsec) / 1e6;
	ck_assert_int_eq(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	fprintf(stderr,
		"%d rounds, %.1f ms each; meanwhile %lu pairs made (%.2f per ms, %lu refused), %lu "
		"deleted\n",
		rounds, ms / rounds, other->made, (double)other->made / ms, other->refused,
		other->deleted);
	ck_assert_uint_gt(other->deleted, (unsigned long)rounds);
	ck_assert_str_eq(sh("ip -o link show type veth | grep -v 'still\\|quiet\\|churn\\|peer'; "
			    "nft list ruleset 2>/dev/null | grep 'id: ctr'; "
			    "find /var/lib/cni -name '10.1.0.*' -o -name 'fd00::*'"),
			 "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("churn");
	TCase *tc = tcase_create("churn");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 7200);
	tcase_add_test(tc, others_who_make_and_delete_links_disturb_nobody);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
