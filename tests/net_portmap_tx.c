/*
 * portmap's transactions, from the outside: rules and owners of ports come and go together, and what is in
 * the way of one of them keeps none of the others.
 */
#include "outlive.h"
#include "portmap_world.h"
#include "trace.h"

#define OWNERS "inet cni_hostport_owners"

static void setup(void)
{
	world_setup();
	no_link_local();
}

static const char *config_of(int n)
{
	return portmap_alone(n, "", PORT(8080, 80, "tcp") "," PORT(8053, 53, "udp"));
}

static const char *with_address(int n)
{
	return portmap_alone(n, "", PORT_AT(8080, 80, "tcp", "127.0.0.1"));
}

static bool has_owners(void)
{
	return sh_status("nft list table " OWNERS " | grep -q ctr1") == 0;
}

/* The rules of container 1, in whichever backend. */
static bool has_rules(void)
{
	return strstr(rules_now(), "10.88.0.2:") || strstr(rules_now(), "10.88.0.2 ");
}

/* At each commit the kernel goes over every chain there is. */
START_TEST(rules_and_owners_come_in_one_transaction)
{
	const char *(*config)(int n) = _i < BACKENDS ? config_of : with_address;

	use_backend(_i % BACKENDS);
	call_ok(on_container(2, "ADD", portmap_alone(2, "", PORT(8081, 80, "tcp"))));
	ck_assert_int_eq(look(on_container(1, "ADD", config(1))).commits, 1);
	ck_assert(has_rules() && has_owners());
	ck_assert_int_eq(look(on_container(1, "ADD", config(1))).commits, 1);
	call_ok(on_container(1, "CHECK", config(1)));
}
END_TEST

/* A range of ports, as people publish them. */
START_TEST(hundreds_of_ports_are_one_transaction)
{
	struct call add;

	use_backend(_i);
	/* What a batch of 1 MiB has no room for. */
	add = on_container(1, "ADD", portmap_alone(1, "", port_range(1999, _i == 0 ? 901 : 401)));
	ck_assert_int_eq(look(add).commits, 1);
	add.command = "DEL";
	ck_assert_int_eq(look(add).commits, 1);
	ck_assert(!has_rules() && !has_owners());
}
END_TEST

START_TEST(check_reads_no_more_lists_of_many_ports_than_of_few)
{
	int dumps[2];

	use_backend(_i);
	for (int i = 0; i < 2; i++) {
		const char *config = portmap_alone(1, "", port_range(2000, i ? 100 : 2));

		call_ok(on_container(1, "ADD", config));
		dumps[i] = look(on_container(1, "CHECK", config)).dumps;
		call_ok(on_container(1, "DEL", config));
	}
	ck_assert_int_eq(dumps[0], dumps[1]);
}
END_TEST

/*
 * At each commit the kernel goes over every chain; and who closes the socket waits until it has forgotten what was
 * removed, also by others: a repeated DEL, too.
 */
START_TEST(rules_and_owners_go_in_one_transaction)
{
	const char *(*config)(int n) = _i < BACKENDS ? config_of : with_address;
	bool possible = cni_outlive(STDIN_FILENO); /* a container runtime may run the tests */
	struct seen del, again;

	use_backend(_i % BACKENDS);
	call_ok(on_container(2, "ADD", portmap_alone(2, "", PORT(8081, 80, "tcp"))));
	call_ok(on_container(1, "ADD", config(1)));
	ck_assert(has_rules() && has_owners());
	del = look(on_container(1, "DEL", config(1)));
	ck_assert(!has_rules() && !has_owners());
	ck_assert_int_eq(del.commits, 1);
	ck_assert_int_eq(del.outlives, possible);
	again = look(on_container(1, "DEL", config(1)));
	ck_assert_int_eq(again.commits, 0);
	ck_assert_int_eq(again.outlives, possible);
	call_ok(on_container(2, "CHECK", portmap_alone(2, "", PORT(8081, 80, "tcp"))));
}
END_TEST

START_TEST(del_without_a_list_of_ports_is_one_transaction_too)
{
	use_backend(_i);
	call_ok(on_container(1, "ADD", config_of(1)));
	ck_assert_int_eq(look(on_container(1, "DEL", portmap_conf("", ""))).commits, 1);
	ck_assert(!has_rules() && !has_owners());
}
END_TEST

START_TEST(a_port_stays_taken_while_rules_for_it_are_left)
{
	use_backend(2);
	call_ok(on_container(1, "ADD", config_of(1)));
	setenv("XTABLES_LOCKFILE", "/run/no/such/directory", 1);
	call_fails(on_container(1, "DEL", config_of(1)), 999, "");
	unsetenv("XTABLES_LOCKFILE");
	ck_assert(has_rules() && has_owners());
	call_fails(on_container(2, "ADD", config_of(2)), 999, "is taken by container ctr1");
	call_ok(on_container(1, "DEL", config_of(1)));
	ck_assert(!has_rules() && !has_owners());
	call_ok(on_container(2, "ADD", config_of(2)));
}
END_TEST

START_TEST(rules_go_although_the_owners_are_in_no_table_of_ours)
{
	use_backend(_i);
	call_ok(on_container(1, "ADD", config_of(1)));
	sh("nft delete table " OWNERS " && nft add table " OWNERS " && nft add set " OWNERS
	   " any4 '{ type ether_addr; }'");
	call_ok(on_container(1, "DEL", config_of(1)));
	ck_assert(!has_rules());
}
END_TEST

/* Rules in both backends, because the configuration was changed; somebody's rule holds on to one's. */
START_TEST(rules_of_one_backend_go_although_those_of_the_other_cannot)
{
	const char *anchor;

	use_backend(0);
	call_ok(on_container(1, "ADD", config_of(1)));
	anchor = sh("nft list chains ip | sed -n 's/.*chain \\(rules-of-[^ ]*\\).*/\\1/p'");
	use_backend(1);
	call_ok(on_container(1, "ADD", config_of(1)));
	sh("nft add chain ip cni_hostport strange && nft add rule ip cni_hostport strange jump %s",
	   anchor);
	call_fails(on_container(1, "DEL", config_of(1)), 999, "error deleting nftables rules");
	ck_assert_str_eq(sh("iptables-save -t nat | grep -c CNI-DN- || true"), "0");
	ck_assert(has_owners());
	sh("nft flush chain ip cni_hostport strange");
	call_ok(on_container(1, "DEL", config_of(1)));
	ck_assert(!has_rules() && !has_owners());
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("portmap, transactions");
	TCase *tc = tcase_create("transactions");

	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, rules_and_owners_come_in_one_transaction, 0, 2 * BACKENDS);
	tcase_add_loop_test(tc, hundreds_of_ports_are_one_transaction, 0, 2);
	tcase_add_loop_test(tc, check_reads_no_more_lists_of_many_ports_than_of_few, 0, 2);
	tcase_add_loop_test(tc, rules_and_owners_go_in_one_transaction, 0, 2 * BACKENDS);
	tcase_add_loop_test(tc, del_without_a_list_of_ports_is_one_transaction_too, 0, BACKENDS);
	tcase_add_test(tc, a_port_stays_taken_while_rules_for_it_are_left);
	tcase_add_loop_test(tc, rules_go_although_the_owners_are_in_no_table_of_ours, 0, BACKENDS);
	tcase_add_test(tc, rules_of_one_backend_go_although_those_of_the_other_cannot);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
