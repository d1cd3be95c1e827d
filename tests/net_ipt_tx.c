/*
 * Transactions on iptables' tables of either kind: all or nothing, once each, beside others who change the
 * same tables, under the lock; and which kind is chosen.
 */
#include "ipt.h"
#include "nft.h"
#include "world.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct kind {
	const char *tool;
	const struct cni_ipt_writer *writer;
} kinds[] = {
	{ "iptables-nft", &cni_ipt_nft },
	{ "iptables-legacy", &cni_ipt_legacy },
};

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define RULE(...) (&(struct cni_ipt_rule){ __VA_ARGS__ })
#define MARKED(text) RULE(.comment = text, .verdict = CNI_IPT_RETURN)
#define JUMP(to) RULE(.verdict = CNI_IPT_JUMP, .chain = to)

static struct cni_ipt begin(const struct kind *k)
{
	struct cni_ipt tx = { .writer = k->writer };

	cni_ipt_on(&tx, AF_INET, "filter");
	return tx;
}

static void commit(struct cni_ipt *tx)
{
	struct cni_error err = { 0 };

	ck_assert_msg(cni_ipt_commit(tx, &err) == 0, "%s; %s", err.msg, err.details);
}

static const char *rules(const struct kind *k, const char *chain)
{
	return sh("%s -S %s | grep -- -A || :", k->tool, chain);
}

START_TEST(a_rule_is_there_once_however_often_it_is_added)
{
	const struct kind *k = &kinds[_i];
	struct cni_ipt tx = begin(k);

	for (int i = 0; i < 2; i++) {
		cni_ipt_chain(&tx, "CNI-a");
		cni_ipt_append(&tx, "CNI-a", MARKED("one"));
		cni_ipt_insert(&tx, "CNI-a", MARKED("two"));
		cni_ipt_append(&tx, "CNI-a", MARKED("two"));
		cni_ipt_insert(&tx, "CNI-a", MARKED("one"));
		cni_ipt_insert(&tx, "FORWARD", JUMP("CNI-a"));
		cni_ipt_append(&tx, "FORWARD", JUMP("CNI-a"));
		commit(&tx);
		cni_ipt_on(&tx, AF_INET, "filter");
	}
	ck_assert_str_eq(rules(k, "CNI-a"), "-A CNI-a -m comment --comment two -j RETURN\n"
					    "-A CNI-a -m comment --comment one -j RETURN");
	ck_assert_str_eq(rules(k, "FORWARD"), "-A FORWARD -j CNI-a");
}
END_TEST

START_TEST(what_is_deleted_can_be_added_anew_in_one_go)
{
	const struct kind *k = &kinds[_i];
	struct cni_ipt tx = begin(k);

	sh("%s -A FORWARD -m comment --comment x -j RETURN", k->tool);
	sh("%s -A FORWARD -j ACCEPT", k->tool);
	sh("%s -A FORWARD -m comment --comment x -j RETURN", k->tool);
	cni_ipt_delete(&tx, "FORWARD", MARKED("x"));
	cni_ipt_append(&tx, "FORWARD", MARKED("x"));
	cni_ipt_delete(&tx, "CNI-none", MARKED("x"));
	commit(&tx);
	ck_assert_str_eq(rules(k, "FORWARD"), "-A FORWARD -j ACCEPT\n"
					      "-A FORWARD -m comment --comment x -j RETURN");
}
END_TEST

/* Somebody claims the rule while it is being decided about. */
static bool is_unclaimed(const struct cni_ipt_rule *rule, void *ctx)
{
	bool *claimed = ctx;
	struct cni_ipt tx = begin(&kinds[0]);

	if (strcmp(rule->comment, "claim") == 0)
		*claimed = true;
	if (*claimed)
		return false;
	cni_ipt_insert(&tx, "FORWARD", MARKED("claim"));
	commit(&tx);
	return true;
}

START_TEST(what_is_decided_by_reading_is_decided_anew_after_a_change)
{
	struct cni_ipt tx = begin(&kinds[0]);
	bool claimed = false;

	sh("iptables-nft -A FORWARD -m comment --comment x -j RETURN");
	cni_ipt_delete_if(&tx, "FORWARD", is_unclaimed, &claimed);
	commit(&tx);
	ck_assert_str_eq(rules(&kinds[0], "FORWARD"),
			 "-A FORWARD -m comment --comment claim -j RETURN\n"
			 "-A FORWARD -m comment --comment x -j RETURN");
}
END_TEST

static bool turn_is_free(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool is_free = flock(fd, LOCK_EX | LOCK_NB) == 0;

	close(fd);
	return is_free;
}

/* Somebody else is faster the first time; whose turn it was is noted each time. */
static bool is_disturbed(const struct cni_ipt_rule *rule, void *ctx)
{
	cni_auto(ipt) struct cni_ipt tx = begin(&kinds[0]);
	char *turns = ctx;

	(void)rule;
	strcat(turns, turn_is_free() ? "free " : "taken ");
	if (strcmp(turns, "free ") == 0) {
		cni_ipt_add(&tx, "FORWARD", MARKED("other"));
		commit(&tx);
	}
	return false;
}

START_TEST(who_lost_has_its_turn_while_it_tries_again)
{
	struct cni_ipt tx = begin(&kinds[0]);
	char turns[64] = "";

	sh("iptables-nft -A FORWARD -m comment --comment x -j RETURN");
	cni_ipt_delete_if(&tx, "FORWARD", is_disturbed, turns);
	cni_ipt_append(&tx, "FORWARD", MARKED("y"));
	commit(&tx);
	ck_assert_str_eq(turns, "free taken taken "); /* the second time there are two rules */
	ck_assert(turn_is_free());
}
END_TEST

/* From now on, no mapping of this process can grow. */
static void refuse_to_grow(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mremap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };

	ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog), 0);
}

START_TEST(a_batch_that_overflowed_is_forgotten)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	const char *comment = fmt("%0200d", 0);

	ck_assert_int_eq(cni_nft_open(&nft), 0);
	refuse_to_grow();
	for (int i = 0; i < 40000; i++)
		cni_nft_table(&nft, NFPROTO_IPV4, "overflow", comment);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(cni_nft_commit(&nft), i == 0 ? -EMSGSIZE : 0);
		cni_nft_table(&nft, NFPROTO_IPV4, "fits", "");
	}
	ck_assert_int_eq(cni_nft_commit(&nft), 0);
	ck_assert_str_eq(sh("nft list tables"), "table ip fits");
}
END_TEST

START_TEST(a_chain_in_use_stays_whole_and_goes_with_the_last_jump)
{
	const struct kind *k = &kinds[_i];
	struct cni_ipt tx = begin(k);

	cni_ipt_chain(&tx, "CNI-a");
	cni_ipt_chain(&tx, "CNI-b");
	cni_ipt_append(&tx, "CNI-a", MARKED("one"));
	cni_ipt_append(&tx, "FORWARD", JUMP("CNI-a"));
	cni_ipt_append(&tx, "CNI-b", JUMP("CNI-a"));
	commit(&tx);

	tx = begin(k);
	cni_ipt_delete(&tx, "FORWARD", JUMP("CNI-a"));
	cni_ipt_chain_drop(&tx, "CNI-a");
	cni_ipt_chain_drop(&tx, "CNI-none");
	commit(&tx);
	ck_assert_str_eq(rules(k, "FORWARD"), "");
	ck_assert_str_eq(rules(k, "CNI-a"), "-A CNI-a -m comment --comment one -j RETURN");

	tx = begin(k);
	cni_ipt_delete(&tx, "CNI-b", JUMP("CNI-a"));
	cni_ipt_chain_drop(&tx, "CNI-a");
	cni_ipt_chain_drop(&tx, "CNI-b");
	cni_ipt_chain_drop(&tx, "CNI-a");
	commit(&tx);
	ck_assert_str_eq(sh("%s -S | grep CNI || :", k->tool), "");
}
END_TEST

START_TEST(nothing_of_a_failed_transaction_happens)
{
	const struct kind *k = &kinds[_i];
	struct cni_ipt tx = begin(k);
	struct cni_error err = { 0 };

	sh("%s -A FORWARD -m comment --comment x -j RETURN", k->tool);
	cni_ipt_delete(&tx, "FORWARD", MARKED("x"));
	cni_ipt_chain(&tx, "CNI-a");
	cni_ipt_append(&tx, "FORWARD", JUMP("CNI-a"));
	cni_ipt_append(&tx, "CNI-a", JUMP("NO-SUCH-CHAIN"));
	ck_assert_int_eq(cni_ipt_commit(&tx, &err), -ENOENT);
	ck_assert_int_eq((int)err.code, CNI_E_INTERNAL);
	ck_assert_msg(strstr(err.msg, "chain CNI-a of iptables table filter, which leads to "
				      "NO-SUCH-CHAIN"),
		      "%s", err.msg);
	ck_assert_str_eq(sh("%s -S | grep -v ^-P", k->tool),
			 "-A FORWARD -m comment --comment x -j RETURN");

	memset(&err, 0, sizeof(err));
	tx = begin(k);
	cni_ipt_append(&tx, "CNI-none", MARKED("x"));
	ck_assert_int_eq(cni_ipt_commit(&tx, &err), -ENOENT);
	ck_assert_msg(strstr(err.msg, "CNI-none"), "%s", err.msg);
}
END_TEST

static bool leads_to_a(const struct cni_ipt_rule *rule, void *ctx)
{
	++*(int *)ctx;
	return strcmp(rule->chain, "CNI-a") == 0 && strcmp(rule->comment, "y") == 0;
}

/* What the model can't say must not be taken for what is left when that is overlooked. */
START_TEST(a_rule_beyond_the_model_is_no_rule_of_ours)
{
	static const char *const beyond[] = {
		"-m limit --limit 5/sec",
		"-p icmp --icmp-type 8",
		"! -p tcp",
		"--fragment",
		"-p tcp --sport 5",
		"-p tcp --dport 5:6",
		"-p tcp --syn",
		"-m mark ! --mark 1",
		"-s 10.0.0.1/255.0.255.0",
		"-m addrtype --src-type LOCAL",
		"-m conntrack --ctstate SNAT",
		"-m conntrack --ctstate NEW --ctproto 6",
		"-m multiport ! -p tcp --dports 5",
		"-m multiport -p tcp --sports 5",
		"-m comment --comment x -m comment --comment x",
		"-s 10.0.0.1 -m mark --mark 0/0",
	};
	const struct kind *k = &kinds[_i];
	struct cni_ipt tx = begin(k);
	int seen = 0;

	sh("%s -N CNI-a", k->tool);
	for (size_t i = 0; i < N(beyond); i++)
		(void)sh_status("%s -A FORWARD %s -j CNI-a", k->tool, beyond[i]);
	sh("%s -A FORWARD -g CNI-a", k->tool);
	sh("%s -A FORWARD -m limit --limit 5/sec -m comment --comment y -j CNI-a", k->tool);
	sh("%s -A FORWARD -j LOG", k->tool);
	cni_ipt_append(&tx, "FORWARD", JUMP("CNI-a"));
	commit(&tx);
	ck_assert_str_eq(sh("%s -S FORWARD | tail -n 1", k->tool), "-A FORWARD -j CNI-a");

	tx = begin(k);
	cni_ipt_delete(&tx, "FORWARD", JUMP("CNI-a"));
	cni_ipt_delete_if(&tx, "FORWARD", leads_to_a, &seen);
	commit(&tx);
	ck_assert_int_ge(seen, (int)N(beyond) - 3);
	ck_assert_str_eq(sh("%s -S FORWARD | grep 'comment y' || :", k->tool), "");
	ck_assert_int_ge(atoi(sh("%s -S FORWARD | grep -c CNI-a", k->tool)), (int)N(beyond) - 3);
}
END_TEST

START_TEST(removing_makes_no_table_and_needs_none)
{
	struct cni_error err = { 0 };

	for (size_t i = 0; cni_ipt_writers[i]; i++) {
		struct cni_ipt tx = { .writer = cni_ipt_writers[i] };

		for (int v = 0; v < 2; v++) {
			cni_ipt_on(&tx, v ? AF_INET6 : AF_INET, "nat");
			cni_ipt_delete(&tx, "POSTROUTING", JUMP("CNI-a"));
			cni_ipt_chain_drop(&tx, "CNI-a");
		}
		commit(&tx);
		ck_assert_int_eq(cni_ipt_each(cni_ipt_writers[i], AF_INET, "nat", "CNI-a", NULL,
					      NULL, &err),
				 -ENOENT);
	}
	ck_assert_str_eq(sh("nft list ruleset; cat /proc/net/ip_tables_names "
			    "/proc/net/ip6_tables_names"),
			 "");
	ck_assert_int_ne(access("/run/xtables.lock", F_OK), 0);
}
END_TEST

/* ---- the lock ---- */

static int take_lock(void)
{
	int fd = open("/run/xtables.lock", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	return fd;
}

START_TEST(a_held_lock_is_reported_and_stops_nobody_who_does_not_need_it)
{
	struct cni_error err = { 0 };
	struct cni_ipt tx;
	int lock;

	sh("iptables-legacy -A FORWARD -m comment --comment x -j RETURN");
	lock = take_lock();
	for (size_t i = 0; cni_ipt_writers[i]; i++) {
		tx = begin(&kinds[i]);
		cni_ipt_delete(&tx, "FORWARD", MARKED("y")); /* is not there */
		commit(&tx);
	}
	tx = begin(&kinds[0]);
	cni_ipt_append(&tx, "FORWARD", MARKED("y"));
	commit(&tx);

	tx = begin(&kinds[1]);
	cni_ipt_delete(&tx, "FORWARD", MARKED("x"));
	ck_assert_int_eq(cni_ipt_commit(&tx, &err), -EAGAIN);
	ck_assert_int_eq((int)err.code, CNI_E_RETRY);
	ck_assert_msg(strstr(err.msg, "/run/xtables.lock"), "%s", err.msg);
	close(lock);
	close(lock);
	ck_assert_str_eq(rules(&kinds[1], "FORWARD"),
			 "-A FORWARD -m comment --comment x -j RETURN");
}
END_TEST

START_TEST(a_lock_that_is_given_back_is_waited_for)
{
	int ready[2], status;
	struct cni_ipt tx;
	pid_t pid;
	char c;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		(void)take_lock();
		(void)!write(ready[1], "x", 1);
		(void)poll(NULL, 0, 300);
		_exit(0);
	}
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	tx = begin(&kinds[1]);
	cni_ipt_append(&tx, "FORWARD", MARKED("x"));
	commit(&tx);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_str_eq(rules(&kinds[1], "FORWARD"),
			 "-A FORWARD -m comment --comment x -j RETURN");
}
END_TEST

/* ---- beside others ---- */

#define WORKERS 6
#define ROUNDS 12

/* Each worker has chains and jumps of its own, and all of them want the same rules, at the same time. */
static void work(const struct kind *k, int worker, pthread_barrier_t *together)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct cni_ipt_rule wanted = { .verdict = CNI_IPT_RETURN };
		struct cni_ipt_rule mine = { .verdict = CNI_IPT_RETURN };
		struct cni_ipt_rule jump = { .verdict = CNI_IPT_JUMP };
		struct cni_ipt tx = begin(k);
		struct cni_error err = { 0 };

		snprintf(jump.chain, sizeof(jump.chain), "CNI-%d-%d", worker, i);
		snprintf(mine.comment, sizeof(mine.comment), "worker %d, %d", worker, i);
		snprintf(wanted.comment, sizeof(wanted.comment), "round %d", i);
		(void)pthread_barrier_wait(together);
		cni_ipt_chain(&tx, "CNI-shared");
		cni_ipt_insert(&tx, "FORWARD", JUMP("CNI-shared"));
		cni_ipt_append(&tx, "CNI-shared", MARKED("shared"));
		cni_ipt_append(&tx, "CNI-shared", &wanted);
		cni_ipt_append(&tx, "CNI-shared", &mine);
		cni_ipt_chain(&tx, jump.chain);
		cni_ipt_append(&tx, jump.chain, &mine);
		cni_ipt_append(&tx, "CNI-shared", &jump);
		if (cni_ipt_commit(&tx, &err) < 0) {
			fprintf(stderr, "%s; %s\n", err.msg, err.details);
			_exit(1);
		}
		if (i % 2 == 0)
			continue;
		tx = begin(k);
		cni_ipt_delete(&tx, "CNI-shared", &jump);
		cni_ipt_chain_drop(&tx, jump.chain);
		if (cni_ipt_commit(&tx, &err) < 0) {
			fprintf(stderr, "%s; %s\n", err.msg, err.details);
			_exit(1);
		}
	}
	_exit(0);
}

START_TEST(beside_others_no_rule_is_lost_or_doubled)
{
	const struct kind *k = &kinds[_i];
	pid_t others, worker[WORKERS];
	pthread_barrierattr_t shared;
	pthread_barrier_t *together;
	int status;

	together = mmap(NULL, sizeof(*together), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	ck_assert_ptr_ne(together, MAP_FAILED);
	pthread_barrierattr_init(&shared);
	pthread_barrierattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	ck_assert_int_eq(pthread_barrier_init(together, &shared, WORKERS), 0);

	sh("nft add table inet other; nft add chain inet other c");
	sh("%s -N CNI-other; %s -A FORWARD -j CNI-other", k->tool, k->tool);
	others = fork();
	if (others == 0) {
		execl("/bin/sh", "sh", "-c",
		      fmt("i=0; while [ ! -e /run/enough ]; do i=$((i+1));"
			  " %s -w -A CNI-other -s 10.9.9.9 -j DROP || exit 1;"
			  " echo \"flush chain inet other c; add rule inet other c counter\" |"
			  " nft -f - || exit 1;"
			  " %s -w -D CNI-other -s 10.9.9.9 -j DROP || exit 1; done;"
			  " %s -A CNI-other -m comment --comment \"did $i\"",
			  k->tool, k->tool, k->tool),
		      (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < WORKERS; i++) {
		worker[i] = fork();
		if (worker[i] == 0)
			work(k, i, together);
	}
	for (int i = 0; i < WORKERS; i++) {
		ck_assert_int_eq(waitpid(worker[i], &status, 0), worker[i]);
		ck_assert_int_eq(status, 0);
	}
	sh("touch /run/enough");
	ck_assert_int_eq(waitpid(others, &status, 0), others);
	ck_assert_int_eq(status, 0);

	ck_assert_str_eq(sh("%s -S | sort | uniq -d", k->tool), "");
	ck_assert_str_eq(sh("%s -S CNI-shared | grep -c worker", k->tool),
			 fmt("%d", WORKERS * ROUNDS));
	ck_assert_str_eq(sh("%s -S CNI-shared | grep -c -- '-j CNI-'", k->tool),
			 fmt("%d", WORKERS * ROUNDS / 2));
	ck_assert_str_eq(sh("%s -S | grep -c -- '-N CNI-[0-9]'", k->tool),
			 fmt("%d", WORKERS * ROUNDS / 2));
	ck_assert_str_eq(sh("%s -S CNI-shared | grep -c 'round [0-9]'", k->tool),
			 fmt("%d", ROUNDS));
	ck_assert_str_eq(sh("%s -S CNI-shared | grep -c '[t] shared'", k->tool), "1");
	ck_assert_str_eq(sh("%s -S FORWARD | grep -c -- '-j CNI-shared'", k->tool), "1");
	ck_assert_str_ne(sh("%s -S CNI-other | grep 'did [1-9]'", k->tool), "");
}
END_TEST

/* ---- which kind ---- */

static void choose(const char *target, const char *path)
{
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	sh("rm -rf /run/bin && mkdir /run/bin");
	if (target)
		sh("ln -s %s /run/bin/iptables", target);
	setenv("PATH", path, 1);
}

START_TEST(the_kind_is_what_iptables_in_path_leads_to)
{
	choose("/usr/sbin/xtables-legacy-multi", "/run/bin:/usr/sbin:/bin");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_legacy);
	ck_assert(cni_ipt_is_usable());
	choose("/usr/sbin/iptables-legacy", "/nonexistent::/run/bin");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_legacy);
	choose("/usr/sbin/iptables-nft", "/run/bin");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_nft);
	ck_assert(cni_ipt_is_usable());
	choose("/nonexistent-legacy", "/run/bin:/usr/sbin"); /* a broken link is no program */
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_nft);
}
END_TEST

START_TEST(a_name_that_tells_nothing_leaves_it_to_the_tables)
{
	sh("cp /bin/true /run/wrapper");
	choose("/run/wrapper", "/run/bin:/usr/sbin:/bin");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_nft);
	sh("iptables-legacy -t filter -S");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_legacy);
	sh("iptables-nft -t mangle -N KUBE-IPTABLES-HINT");
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_nft);
}
END_TEST

START_TEST(without_iptables_in_path_it_is_not_the_default)
{
	choose(NULL, "/nonexistent");
	ck_assert(!cni_ipt_is_usable());
	choose("/usr/sbin/iptables-nft", "bin:.");
	ck_assert_int_eq(chdir("/run"), 0);
	ck_assert(!cni_ipt_is_usable());
	ck_assert_ptr_eq(cni_ipt_host(), &cni_ipt_nft); /* what /usr/sbin has */
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("ipt_tx");
	TCase *tc = tcase_create("transactions");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_rule_is_there_once_however_often_it_is_added, 0, N(kinds));
	tcase_add_loop_test(tc, what_is_deleted_can_be_added_anew_in_one_go, 0, N(kinds));
	tcase_add_test(tc, who_lost_has_its_turn_while_it_tries_again);
	tcase_add_test(tc, a_batch_that_overflowed_is_forgotten);
	tcase_add_test(tc, what_is_decided_by_reading_is_decided_anew_after_a_change);
	tcase_add_loop_test(tc, a_chain_in_use_stays_whole_and_goes_with_the_last_jump, 0,
			    N(kinds));
	tcase_add_loop_test(tc, nothing_of_a_failed_transaction_happens, 0, N(kinds));
	tcase_add_loop_test(tc, a_rule_beyond_the_model_is_no_rule_of_ours, 0, N(kinds));
	tcase_add_test(tc, removing_makes_no_table_and_needs_none);
	tcase_add_test(tc, a_held_lock_is_reported_and_stops_nobody_who_does_not_need_it);
	tcase_add_test(tc, a_lock_that_is_given_back_is_waited_for);
	tcase_add_loop_test(tc, beside_others_no_rule_is_lost_or_doubled, 0, N(kinds));
	tcase_add_test(tc, the_kind_is_what_iptables_in_path_leads_to);
	tcase_add_test(tc, a_name_that_tells_nothing_leaves_it_to_the_tables);
	tcase_add_test(tc, without_iptables_in_path_it_is_not_the_default);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
