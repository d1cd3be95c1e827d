/*
 * host-local for which each request for memory fails in turn: an ADD gives the whole result, or an error object and
 * leaves nothing; a GC that succeeds has read the whole list. jansson loses bytes and members without a word.
 */
#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTED "/run/allocated"

#define CONFIG                                                                               \
	"{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"host-local\","               \
	"\"cni.dev/valid-attachments\":[{\"containerID\":\"another\",\"ifname\":\"eth0\"}]," \
	"\"ipam\":{\"dataDir\":\"%s\",\"resolvConf\":\"/run/resolv.conf\","                  \
	"\"routes\":[{\"dst\":\"0.0.0.0/0\"}],"                                              \
	"\"ranges\":[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/64\"}]]}}"

/* The verb, in a store of its own, with the n-th request for memory failing. @return whether there was one */
static bool call_without(const char *command, int n, struct reply *ret)
{
	FILE *f;
	int calls = -1;

	(void)unlink(COUNTED);
	*ret = call((struct call){ .command = command,
				   .bin = plain_plugins(),
				   .netns = "/run/netns/none",
				   .wrapper = fmt("env LD_PRELOAD=" ALLOCATED " ALLOCATED=" COUNTED
						  " ALLOCATED_FAILS=%d",
						  n),
				   .config = fmt(CONFIG, fmt("/run/store%d", n)) });
	f = fopen(COUNTED, "re");
	ck_assert_msg(f && fscanf(f, "%*d %d", &calls) == 1, "at %d: exit %d, %s%s", n, ret->status,
		      ret->out, ret->err);
	fclose(f);
	return calls >= n;
}

static bool is_leased(int n, const char *address)
{
	return access(fmt("/run/store%d/net1/%s", n, address), F_OK) == 0;
}

START_TEST(an_add_without_memory_fails_or_gives_the_whole_result)
{
	struct reply whole, r;

	sh("printf 'nameserver 1.1.1.1\nsearch a b\ndomain c\noptions d\n' >/run/resolv.conf");
	ck_assert(!call_without("ADD", 100000, &whole));
	ck_assert_int_eq(whole.status, 0);
	for (int n = 1; call_without("ADD", n, &r); n++) {
		if (r.status == 0) {
			ck_assert_str_eq(r.out, whole.out);
			continue;
		}
		ck_assert_msg(r.status == 1 && r.code > 0 && *r.msg, "at %d: exit %d, %s%s", n,
			      r.status, r.out, r.err);
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
		tried = call_without("GC", n, &r);
		ck_assert_msg(r.status == is_leased(n, "10.1.0.2"), "at %d: exit %d, %s", n,
			      r.status, r.out);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = tcase_create("host-local");

	tcase_add_checked_fixture(tc, world_setup, world_teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, an_add_without_memory_fails_or_gives_the_whole_result);
	tcase_add_test(tc, a_gc_without_memory_fails_or_has_read_the_whole_list);
	suite_add_tcase(suite, tc);
	return world_main(suite);
}
