/*
 * firewalld; see firewalld.h.
 */
#include "firewalld.h"
#include "dbus.h"
#include "owners.h"
#include "zone_record.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SERVICE "org.fedoraproject.FirewallD1"

/* How long a verb waits in all: as long as D-Bus clients usually do. */
#define TIMEOUT_MS 25000
/* Is it there? Who does not answer that soon is not. */
#define PROBE_MS 5000

/* ---- calls ---- */

static int call_zone(struct cni_dbus *bus, const char *member, const char *zone, const char *source,
		     bool start, struct cni_dbus_reply *ret, struct cni_error *err)
{
	const struct cni_dbus_call call = {
		.destination = SERVICE,
		.path = "/org/fedoraproject/FirewallD1",
		.interface = SERVICE ".zone",
		.member = member,
		.arg = { zone, source },
		.no_auto_start = !start,
	};

	return cni_dbus_call(bus, &call, ret, err);
}

/* An address as a source: with the length of a whole address behind it. */
static const char *source_text(const struct cni_ip *ip, char buf[static CNI_PREFIX_STRLEN])
{
	const struct cni_prefix p = cni_prefix_alone(ip);

	return cni_prefix_format(&p, buf);
}

/* @return 1 if the address was added; 0 if it was there; negative errno */
static int add_source(struct cni_dbus *bus, const char *zone, const struct cni_ip *ip,
		      struct cni_error *err)
{
	char source[CNI_PREFIX_STRLEN];
	struct cni_dbus_reply reply;
	int r;

	r = call_zone(bus, "addSource", zone, source_text(ip, source), true, &reply, err);
	if (r < 0)
		return r;
	if (!*reply.error)
		return 1;
	if (strstr(reply.text, "ZONE_ALREADY_SET"))
		return 0;
	r = cni_fail(err, CNI_E_INTERNAL, 0, "failed to add the address %s to %s zone: %s", source,
		     zone, reply.text);
	cni_error_detail(err, "D-Bus error %s; the zone is the key firewalldZone", reply.error);
	return r;
}

/* Whether an error says that the address is not in the zone, or that there is no firewalld. */
static bool is_gone(const struct cni_dbus_reply *reply)
{
	static const char *const words[] = { "UNKNOWN_SOURCE", "NOT_ENABLED", "ZONE_CONFLICT",
					     "INVALID_ZONE" };
	static const char *const names[] = { "org.freedesktop.DBus.Error.ServiceUnknown",
					     "org.freedesktop.DBus.Error.NameHasNoOwner" };

	for (size_t i = 0; i < CNI_ARRAY_SIZE(names); i++)
		if (strcmp(reply->error, names[i]) == 0)
			return true;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(words); i++)
		if (strncmp(reply->text, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/*
 * firewalld keeps a source whose rules it can't remove, as after `nft flush ruleset`, which took them: nothing that is
 * tried again mends that. A restart of firewalld does, and forgets the source; the record tells DEL and GC of it.
 *
 * @return 0; 1 if firewalld keeps it; negative errno
 */
static int remove_source(struct cni_dbus *bus, const char *zone, const struct cni_ip *ip,
			 struct cni_error *err)
{
	static const char no_rules[] = "COMMAND_FAILED";
	char source[CNI_PREFIX_STRLEN];
	struct cni_dbus_reply reply;
	int r;

	r = call_zone(bus, "removeSource", zone, source_text(ip, source), false, &reply, err);
	if (r < 0 || !*reply.error || is_gone(&reply))
		return r;
	if (strncmp(reply.text, no_rules, strlen(no_rules)) == 0) {
		cni_note("firewalld keeps the address %s in %s zone: %.200s", source, zone,
			 reply.text);
		return 1;
	}
	r = cni_fail(err, CNI_E_INTERNAL, 0, "failed to remove the address %s from %s zone: %s",
		     source, zone, reply.text);
	cni_error_detail(err, "D-Bus error %s", reply.error);
	return r;
}

bool cni_firewalld_running(void)
{
	static const struct cni_dbus_call call = {
		.destination = "org.freedesktop.DBus",
		.path = "/org/freedesktop/DBus",
		.interface = "org.freedesktop.DBus",
		.member = "GetNameOwner",
		.arg = { SERVICE },
	};
	cni_auto(dbus) struct cni_dbus bus = { .fd = -1 };
	struct cni_dbus_reply reply;

	return cni_dbus_open(&bus, PROBE_MS, NULL) == 0 &&
	       cni_dbus_call(&bus, &call, &reply, NULL) == 0 && !*reply.error;
}

/* ---- ADD ---- */

/* Told, but no reason to fail: DEL will still find what prevResult names. */
static void remember(const struct cni_zone_record *rec)
{
	int r = cni_zone_record_put(rec);

	if (r < 0)
		cni_note("cannot remember whose address is in zone %s: %s", rec->zone,
			 cni_strerror(-r));
}

/* What ADD did with one address. */
struct done {
	bool added; /* it was not in the zone, and may be now */
	bool had; /* there was a record, which ours replaced */
	struct cni_zone_record old;
};

/*
 * The record goes when the address has: a record that stays lets DEL and GC finish. An older one comes
 * back: it may be that of a container that runs.
 */
static void take_back(struct cni_dbus *bus, const char *zone, const struct cni_ip *ip,
		      const struct done *done)
{
	int r = done->added ? remove_source(bus, zone, ip, NULL) : 0;

	if (done->had)
		remember(&done->old);
	else if (r == 0)
		cni_zone_record_drop(ip);
}

int cni_firewalld_add(const struct cni_args *args, const char *zone, const struct cni_result *res,
		      struct cni_error *err)
{
	cni_auto(dbus) struct cni_dbus bus = { .fd = -1 };
	struct cni_zone_record rec = { 0 };
	cni_auto(free) struct done *done = calloc(res->n_ips + 1, sizeof(*done));
	size_t i;
	int r;

	snprintf(rec.zone, sizeof(rec.zone), "%s", zone);
	r = done ? cni_owner(args->name, args->containerid, args->ifname, rec.owner) : -ENOMEM;
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "add addresses to %s zone", zone);
	r = cni_dbus_open(&bus, TIMEOUT_MS, err);
	if (r < 0)
		return r;
	for (i = 0; i < res->n_ips && r >= 0; i++) {
		rec.ip = res->ips[i].address.ip;
		done[i].had = cni_zone_record_get(&rec.ip, &done[i].old) == 0;
		remember(&rec);
		r = add_source(&bus, zone, &rec.ip, err);
		/* One that failed may be executed yet, if it was not answered in time. */
		done[i].added = r > 0 || (r < 0 && !done[i].had);
	}
	if (r >= 0)
		return 0;
	while (i-- > 0)
		take_back(&bus, zone, &res->ips[i].address.ip, &done[i]);
	return r;
}

/* ---- DEL, GC ---- */

/* Addresses that are to leave their zones. */
struct leaving {
	struct cni_zone_record *item; /* owned */
	size_t n;
	const char *owner; /* whose records are looked for; NULL = see `valid` */
	const struct cni_owners *valid;
};

static inline void cni_auto_leaving(struct leaving *l)
{
	free(l->item);
}

static int leave(struct leaving *l, const struct cni_zone_record *rec)
{
	struct cni_zone_record *item;

	for (size_t i = 0; i < l->n; i++)
		if (cni_ip_cmp(&l->item[i].ip, &rec->ip) == 0)
			return 0;
	item = reallocarray(l->item, l->n + 1, sizeof(*item));
	if (!item)
		return -ENOMEM;
	l->item = item;
	l->item[l->n++] = *rec;
	return 0;
}

static int consider(const struct cni_zone_record *rec, void *ctx)
{
	struct leaving *l = ctx;
	bool leaves = l->owner ? strcmp(rec->owner, l->owner) == 0
			       : cni_owners_stale(l->valid, rec->owner);

	return leaves ? leave(l, rec) : 0;
}

/* An address of prevResult, unless it is another attachment's by now. @return 1 if its record is ours */
static int consider_address(struct leaving *l, const struct cni_ip *ip, const char *zone)
{
	struct cni_zone_record rec = { .ip = *ip };
	int r;

	if (cni_zone_record_get(ip, &rec) == 0) {
		r = consider(&rec, l);
		return r < 0 ? r : strcmp(rec.owner, l->owner) == 0;
	}
	if (!zone)
		return 0;
	snprintf(rec.zone, sizeof(rec.zone), "%s", zone);
	return leave(l, &rec);
}

/* No bus, no firewalld: its runtime configuration is gone as well. A record stays until its address left. */
static int take_out(struct leaving *l, struct cni_error *err)
{
	cni_auto(dbus) struct cni_dbus bus = { .fd = -1 };
	struct cni_error why = { 0 };
	int r, first = 0;

	if (l->n == 0)
		return 0;
	r = cni_dbus_open(&bus, TIMEOUT_MS, &why);
	if (r < 0 && r != -ENOENT && r != -ECONNREFUSED) {
		if (!err->set) /* the first cause wins */
			*err = why;
		return r;
	}
	for (size_t i = 0; i < l->n; i++) {
		r = bus.fd < 0 ? 0 : remove_source(&bus, l->item[i].zone, &l->item[i].ip, err);
		if (r == 0)
			cni_zone_record_drop(&l->item[i].ip);
		else if (r < 0 && first == 0)
			first = r;
	}
	return first;
}

int cni_firewalld_del(const struct cni_args *args, const char *zone, const struct cni_result *prev,
		      struct cni_error *err)
{
	cni_auto(leaving) struct leaving l = { 0 };
	char owner[CNI_OWNER_LEN];
	size_t found = 0;
	int r;

	l.owner = owner;
	r = cni_owner(args->name, args->containerid, args->ifname, owner);
	for (size_t i = 0; i < prev->n_ips && r >= 0; i++) {
		r = consider_address(&l, &prev->ips[i].address.ip, zone);
		found += r > 0;
	}
	/* prevResult may be missing, or another one than ADD saw. */
	if (r >= 0 && (found == 0 || found < prev->n_ips))
		r = cni_zone_record_each(consider, &l);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "remove addresses from their zones");
	return take_out(&l, err);
}

int cni_firewalld_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(owners) struct cni_owners valid = { 0 };
	cni_auto(leaving) struct leaving l = { .valid = &valid };
	int r;

	r = cni_owners_valid(args, &valid);
	if (r == 0)
		r = cni_zone_record_each(consider, &l);
	if (r < 0)
		return cni_fail(err, CNI_E_INTERNAL, -r, "remove addresses from their zones");
	return take_out(&l, err);
}

/* ---- CHECK ---- */

int cni_firewalld_check(const char *zone, const struct cni_result *res, struct cni_error *err)
{
	cni_auto(dbus) struct cni_dbus bus = { .fd = -1 };
	char source[CNI_PREFIX_STRLEN];
	struct cni_dbus_reply reply;
	int r;

	r = cni_dbus_open(&bus, TIMEOUT_MS, err);
	for (size_t i = 0; i < res->n_ips && r == 0; i++) {
		source_text(&res->ips[i].address.ip, source);
		r = call_zone(&bus, "querySource", zone, source, true, &reply, err);
		if (r < 0 || (reply.truth && !*reply.error))
			continue;
		cni_fail(err, CNI_E_INTERNAL, 0, "failed to find the address %s in %s zone", source,
			 zone);
		cni_error_detail(err, "%s",
				 *reply.error ? reply.text
					      : "firewalld does not have it; a reload forgets such "
						"addresses");
		r = -ENOENT;
	}
	return r;
}
