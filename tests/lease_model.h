/*
 * For net_leases.c: a plain model of what host-local gives to whom. Each set is the list of its addresses
 * in the order of the search, each with its owner, and the place of the one given last.
 */
#ifndef TESTS_LEASE_MODEL_H
#define TESTS_LEASE_MODEL_H

#include "world.h"

#include <stdio.h>
#include <string.h>

#define MAX_SETS 2
#define MAX_ADDRESSES 64
#define NOBODY (-1)

struct set {
	const char *ranges; /* as JSON */
	const char *text; /* as messages show it */
	const char *gateway;
	const char *address[MAX_ADDRESSES];
	int owner[MAX_ADDRESSES];
	int n, last;
};

struct network {
	const char *name;
	struct set set[MAX_SETS];
};

static inline struct set set_of(const char *ranges, const char *text, const char *gateway)
{
	struct set s = { .ranges = ranges, .text = text, .gateway = gateway, .last = -1 };

	return s;
}

/* Append the addresses that begin so and end in first..last, but not the gateway. */
static inline void add_range(struct set *s, const char *begin, int first, int last)
{
	for (int i = first; i <= last; i++) {
		const char *ip = strchr(begin, ':') ? fmt("%s%x", begin, (unsigned int)i)
						    : fmt("%s%d", begin, i);

		if (strcmp(ip, s->gateway) == 0)
			continue;
		ck_assert_int_lt(s->n, MAX_ADDRESSES);
		s->owner[s->n] = NOBODY;
		s->address[s->n++] = ip;
	}
}

/* Alternatives in the first set, which is the smaller one. */
static inline struct network small_first(const char *name)
{
	struct network net = { .name = name };

	net.set[0] = set_of("[{\"subnet\":\"10.1.0.0/29\"},{\"subnet\":\"10.1.2.0/28\","
			    "\"rangeStart\":\"10.1.2.4\",\"rangeEnd\":\"10.1.2.9\","
			    "\"gateway\":\"10.1.2.6\"}]",
			    "10.1.0.1-10.1.0.6,10.1.2.4-10.1.2.9", "10.1.0.1");
	add_range(&net.set[0], "10.1.0.", 1, 6);
	net.set[0].gateway = "10.1.2.6";
	add_range(&net.set[0], "10.1.2.", 4, 9);
	net.set[1] = set_of("[{\"subnet\":\"fd00:1::/124\"}]", "fd00:1::1-fd00:1::f", "fd00:1::1");
	add_range(&net.set[1], "fd00:1::", 1, 15);
	return net;
}

/* The second set is exhausted first: what the first one gave has to be given back. */
static inline struct network small_second(const char *name)
{
	struct network net = { .name = name };

	net.set[0] = set_of("[{\"subnet\":\"10.2.0.0/27\"}]", "10.2.0.1-10.2.0.30", "10.2.0.1");
	add_range(&net.set[0], "10.2.0.", 1, 30);
	net.set[1] = set_of("[{\"subnet\":\"fd00:2::/125\",\"gateway\":\"fd00:2::4\"}]",
			    "fd00:2::1-fd00:2::7", "fd00:2::4");
	add_range(&net.set[1], "fd00:2::", 1, 7);
	return net;
}

static inline int find_owner(const struct set *s, int who)
{
	for (int i = 0; i < s->n; i++)
		if (s->owner[i] == who)
			return i;
	return -1;
}

static inline bool is_live(const struct network *net, int who)
{
	return find_owner(&net->set[0], who) >= 0;
}

static inline int find_address(const struct set *s, const char *ip)
{
	for (int i = 0; i < s->n; i++)
		if (strcmp(s->address[i], ip) == 0)
			return i;
	return -1;
}

static inline int next_free(const struct set *s)
{
	for (int k = 1; k <= s->n; k++)
		if (s->owner[(s->last + k) % s->n] == NOBODY)
			return (s->last + k) % s->n;
	return -1;
}

static inline const char *id_of(int who)
{
	return fmt("ctr%d", who / 2);
}

static inline const char *ifname_of(int who)
{
	return fmt("eth%d", who % 2);
}

static inline void release(struct network *net, int who)
{
	for (int i = 0; i < MAX_SETS; i++) {
		int at = find_owner(&net->set[i], who);

		if (at >= 0)
			net->set[i].owner[at] = NOBODY;
	}
}

/* One set of an ADD. @return NULL and the address's number in *at; or the message */
static inline const char *foretell_set(const struct set *s, int who, const char **wanted, int *at)
{
	int own = find_owner(s, who);

	if (own >= 0)
		return fmt("%s has been allocated to %s, duplicate allocation is not allowed",
			   s->address[own], id_of(who));
	*at = *wanted ? find_address(s, *wanted) : -1;
	if (*wanted && strcmp(*wanted, s->gateway) == 0)
		return fmt("requested ip %s is subnet's gateway", *wanted);
	if (*at >= 0) {
		const char *ip = *wanted;

		*wanted = NULL;
		return s->owner[*at] == NOBODY ? NULL
					       : fmt("requested IP address %s is not available in "
						     "range set %s",
						     ip, s->text);
	}
	*at = next_free(s);
	return *at >= 0 ? NULL : fmt("no IP addresses available in range set: %s", s->text);
}

/* What an ADD must come to, done in the model. @return NULL and the addresses; or the message */
static inline const char *foretell_add(struct network *net, int who, const char *wanted,
				       const char *got[MAX_SETS])
{
	for (int i = 0; i < MAX_SETS; i++) {
		struct set *s = &net->set[i];
		const char *why;
		int at = -1;

		why = foretell_set(s, who, &wanted, &at);
		if (why) {
			for (int k = 0; k < i; k++)
				net->set[k].owner[find_owner(&net->set[k], who)] = NOBODY;
			return fmt("failed to allocate for range %d: %s", i, why);
		}
		s->owner[at] = who;
		s->last = at;
		got[i] = s->address[at];
	}
	if (!wanted)
		return NULL;
	release(net, who);
	return fmt("failed to allocate all requested IPs: %s", wanted);
}

#endif
