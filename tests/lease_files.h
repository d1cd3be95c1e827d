/*
 * For the tests of host-local's directory: calls for one network of two sets, its lease files, and
 * whether our index agrees with them.
 */
#ifndef TESTS_LEASE_FILES_H
#define TESTS_LEASE_FILES_H

#include "world.h"

#include <stdio.h>
#include <string.h>

/** Configuration of net1 with this dataDir, and more keys, which begin with a comma. */
static inline const char *config_in(const char *dir, const char *more)
{
	return fmt("{\"cniVersion\":\"1.1.0\",\"name\":\"net1\",\"type\":\"host-local\"%s,"
		   "\"ipam\":{\"type\":\"host-local\",\"dataDir\":\"%s\",\"ranges\":"
		   "[[{\"subnet\":\"10.1.0.0/24\"}],[{\"subnet\":\"fd00::/120\"}]]}}",
		   more, dir);
}

/** A call of our host-local; it is killed if it hangs. */
static inline struct call call_in(const char *dir, const char *command, const char *id)
{
	return (struct call){ .command = command,
			      .plugin = "host-local",
			      .netns = "/run/netns/c1",
			      .id = id,
			      .wrapper = "timeout -s KILL 60",
			      .config = config_in(dir, "") };
}

/** A GC that keeps only the attachments named, by a list of JSON objects. */
static inline struct call gc_in(const char *dir, const char *valid)
{
	struct call c = call_in(dir, "GC", "");

	c.ifname = "";
	c.config = config_in(dir, fmt(",\"cni.dev/valid-attachments\":[%s]", valid));
	return c;
}

#define VALID(id) "{\"containerID\":\"" id "\",\"ifname\":\"eth0\"}"

/** @return address number `n` of a result, without its length */
static inline const char *address(const struct reply *r, size_t n)
{
	json_t *ip = json_array_get(json_object_get(r->json, "ips"), n);
	const char *text = json_string_value(json_object_get(ip, "address"));

	return text ? fmt("%.*s", (int)strcspn(text, "/"), text) : "none";
}

/** @return names of the files that belong to a container, in one line */
static inline const char *leases_of(const char *dir, const char *id)
{
	return sh("cd %s/net1 2>/dev/null && grep -D skip -lsI '^%s' 10.* fd* | sort | xargs; true",
		  dir, id);
}

/** @return all files under an address's name, with their content and mode */
static inline const char *leases(const char *dir)
{
	return sh("cd %s/net1 2>/dev/null && for f in 10.* fd*; do [ ! -f $f ] || "
		  "echo $f $(stat -c %%a $f) $(tr '\\r\\n' '//' <$f); done; true",
		  dir);
}

/** An ADD said that these were given: so they are. */
static inline void assert_given(const char *dir, const char *id, const struct reply *r)
{
	ck_assert_str_eq(leases_of(dir, id), fmt("%s %s", address(r, 0), address(r, 1)));
}

/** Somebody else gets here what he gets in a copy without an index. */
static inline void assert_index(const char *dir)
{
	struct call add = call_in(dir, "ADD", "probe");
	struct reply here, there;

	sh("rm -rf /run/world/copy; cp -a %s /run/world/copy; "
	   "rm -f /run/world/copy/net1/.ccni-index",
	   dir);
	here = call_ok(add);
	add.config = config_in("/run/world/copy", "");
	there = call_ok(add);
	ck_assert_str_eq(here.out, there.out);
	call_ok(call_in(dir, "DEL", "probe"));
	ck_assert_str_eq(leases_of(dir, "probe"), "");
}

#endif
