/*
 * host-local: hands out addresses of ranges, remembered in files on this host (store.h).
 *
 * Keys of "ipam":
 *   ranges       list of range sets, each a list of {subnet, rangeStart, rangeEnd, gateway};
 *                one address is given of each set
 *   subnet, rangeStart, rangeEnd, gateway   the same for a single range; goes before "ranges"
 *   routes       copied to the result
 *   resolvConf   path of a resolv.conf(5), read into the result's dns
 *   dataDir      string, default /var/lib/cni/networks
 *   reclaimAfterReboot   bool, default false: when a range set is exhausted, a lease that was
 *                written before the machine was last booted is taken over
 * Besides: runtimeConfig.ipRanges (go before all others); requested addresses in CNI_ARGS IP,
 * args.cni.ips and runtimeConfig.ips.
 */
#include "allocate.h"
#include "conf.h"
#include "files.h"
#include "resolv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RESOLV_CONF_MAX (1u << 20)

struct local_conf {
	const char *data_dir; /* borrowed */
	const char *resolv_conf; /* borrowed; NULL = none */
	json_t *routes, *ranges, *single; /* borrowed */
	bool reclaim;
	struct cni_ranges sets;
	struct cni_ip *wanted; /* requested addresses, in order of preference */
	size_t n_wanted;
};

static void cni_auto_local(struct local_conf *conf)
{
	cni_ranges_done(&conf->sets);
	free(conf->wanted);
}

/* ---- configuration ---- */

static int local_want(struct local_conf *conf, const char *text, struct cni_error *err)
{
	struct cni_ip *more = reallocarray(conf->wanted, conf->n_wanted + 1, sizeof(*more));
	struct cni_prefix p;

	if (!more)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read requested addresses");
	conf->wanted = more;
	if (cni_ip_parse(text, &p.ip) < 0 && cni_prefix_parse(text, &p) < 0)
		return cni_invalid(err, "invalid IP address %s", text);
	for (size_t i = 0; i < conf->n_wanted; i++)
		if (cni_ip_cmp(&more[i], &p.ip) == 0)
			return 0;
	more[conf->n_wanted++] = p.ip;
	return 0;
}

static int local_want_list(struct local_conf *conf, const char *where, json_t *list,
			   struct cni_error *err)
{
	json_t *value;
	size_t i;
	int r;

	if (list && !json_is_array(list))
		return cni_invalid(err, "%s.ips: expected a list of strings", where);
	json_array_foreach (list, i, value) {
		if (!json_is_string(value))
			return cni_invalid(err, "%s.ips[%zu]: expected a string", where, i);
		r = local_want(conf, json_string_value(value), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int local_read_wanted(const struct cni_args *args, struct local_conf *conf,
			     struct cni_error *err)
{
	struct cni_env_arg known[] = { { .key = "IP" }, { .key = NULL } };
	json_t *cni = json_object_get(json_object_get(args->conf, "args"), "cni");
	json_t *runtime = json_object_get(args->conf, "runtimeConfig");
	int r;

	r = cni_env_args_read(args->cni_args, known, err);
	if (r < 0)
		return r;
	if (known[0].len) {
		char text[2 *
			  CNI_PREFIX_STRLEN]; /* what does not fit is no address, also when cut */

		snprintf(text, sizeof(text), "%.*s", (int)known[0].len, known[0].value);
		if (local_want(conf, text, NULL) < 0)
			return cni_fail(err, CNI_E_ENV, 0,
					"ARGS: error parsing value of pair \"IP=%s\": invalid IP "
					"address %s",
					text, text);
	}
	r = local_want_list(conf, "args.cni", json_object_get(cni, "ips"), err);
	return r < 0 ? r
		     : local_want_list(conf, "runtimeConfig", json_object_get(runtime, "ips"), err);
}

/* At most one address of a family fits a result before 0.3.0. */
static int local_check_old_version(const struct cni_args *args, const struct local_conf *conf,
				   struct cni_error *err)
{
	size_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < conf->sets.n; i++) {
		if (conf->sets.set[i].range[0].subnet.ip.family == AF_INET)
			n4++;
		else
			n6++;
	}
	return cni_conf_check_families(args, n4, n6, err);
}

/* What DEL and GC need, and no more: whatever else has changed in the configuration must not matter. */
static int local_read_data_dir(const struct cni_args *args, const char **ret, struct cni_error *err)
{
	static const struct cni_json_field fields[] = { { "dataDir", CNI_JSON_STRING, 0 } };
	json_t *ipam = cni_conf_ipam(args);
	int r;

	if (!json_is_object(ipam))
		return cni_invalid(err, "IPAM config missing 'ipam' key");
	*ret = "";
	r = cni_json_read(ipam, "ipam.", fields, CNI_ARRAY_SIZE(fields), ret, err);
	if (!**ret)
		*ret = CNI_STORE_DIR;
	return r;
}

static int local_read_keys(const struct cni_args *args, struct local_conf *conf,
			   struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "resolvConf", CNI_JSON_STRING, offsetof(struct local_conf, resolv_conf) },
		{ "routes", CNI_JSON_ARRAY, offsetof(struct local_conf, routes) },
		{ "ranges", CNI_JSON_ARRAY, offsetof(struct local_conf, ranges) },
		{ "reclaimAfterReboot", CNI_JSON_BOOL, offsetof(struct local_conf, reclaim) },
	};
	json_t *ipam = cni_conf_ipam(args);
	int r;

	r = cni_conf_check_types(args, err);
	if (r == 0)
		r = local_read_data_dir(args, &conf->data_dir, err);
	if (r == 0)
		r = cni_json_read(ipam, "ipam.", fields, CNI_ARRAY_SIZE(fields), conf, err);
	conf->single = json_object_get(ipam, "subnet") ? ipam : NULL;
	return r;
}

/* The sets in their order: those of the runtime, the single range, the list. */
static int local_read_ranges(const struct cni_args *args, struct local_conf *conf,
			     struct cni_error *err)
{
	json_t *runtime = json_object_get(args->conf, "runtimeConfig");
	int r;

	r = cni_ranges_add_list(&conf->sets, "runtimeConfig.ipRanges",
				json_object_get(runtime, "ipRanges"), err);
	if (r == 0 && conf->single)
		r = cni_ranges_add_single(&conf->sets, conf->single, err);
	if (r == 0)
		r = cni_ranges_add_list(&conf->sets, "ipam.ranges", conf->ranges, err);
	return r < 0 ? r : cni_ranges_check(&conf->sets, err);
}

static int local_read(const struct cni_args *args, struct local_conf *conf, struct cni_error *err)
{
	int r;

	r = local_read_keys(args, conf, err);
	if (r < 0)
		return r;
	r = local_read_wanted(args, conf, err);
	if (r < 0)
		return r;
	r = local_read_ranges(args, conf, err);
	if (r < 0)
		return r;
	if (conf->sets.n == 0)
		return cni_invalid(err, "no IP ranges specified");
	return local_check_old_version(args, conf, err);
}

static int local_read_resolv_conf(const struct local_conf *conf, struct cni_result *res,
				  struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };
	cni_auto(json) json_t *dns = NULL;
	cni_auto(fd) int fd = -1;
	int r;

	if (!conf->resolv_conf || !*conf->resolv_conf)
		return 0;
	fd = open(conf->resolv_conf, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		r = errno;
		return cni_fail(err, CNI_E_CONFIG, r, "ipam.resolvConf: open %s",
				conf->resolv_conf);
	}
	r = cni_buf_read_fd(&text, fd, RESOLV_CONF_MAX);
	if (r < 0)
		return cni_fail(err, CNI_E_CONFIG, -r, "ipam.resolvConf: read %s",
				conf->resolv_conf);
	dns = cni_resolv_parse(text.data);
	return cni_result_set_dns(res, dns, err);
}

/* ---- ADD ---- */

/* Addresses that this ADD took itself; a failing one gives back these and no others. */
struct local_taken {
	const struct cni_allocator *allocator;
	const struct cni_result *res;
	bool armed;
};

static void cni_auto_taken(struct local_taken *taken)
{
	for (size_t i = 0; taken->armed && i < taken->res->n_ips; i++)
		cni_allocate_undo(taken->allocator, &taken->res->ips[i].address.ip);
}

/* The first requested address that lies in the set; it is then no longer wanted. */
static bool local_pick_wanted(struct local_conf *conf, const struct cni_range_set *set,
			      struct cni_ip *ret)
{
	for (size_t i = 0; i < conf->n_wanted; i++) {
		if (!cni_range_set_find(set, &conf->wanted[i]))
			continue;
		*ret = conf->wanted[i];
		conf->n_wanted--;
		memmove(&conf->wanted[i], &conf->wanted[i + 1],
			(conf->n_wanted - i) * sizeof(conf->wanted[0]));
		return true;
	}
	return false;
}

static int local_allocate(const struct cni_allocator *a, struct local_conf *conf, size_t index,
			  struct cni_result *res, struct cni_error *err)
{
	const struct cni_range_set *set = &conf->sets.set[index];
	struct cni_ipconf got;
	struct cni_ip wanted;
	bool picked = local_pick_wanted(conf, set, &wanted);
	int r;

	r = cni_allocate(a, set, index, picked ? &wanted : NULL, &got, err);
	if (r == 0 && cni_result_add_ip(res, &got) < 0) {
		cni_allocate_undo(a, &got.address.ip);
		r = cni_fail(err, CNI_E_INTERNAL, ENOMEM, "allocate");
	}
	if (r < 0)
		cni_error_prefix(err, "failed to allocate for range %zu", index);
	return r;
}

static int local_refuse_leftovers(const struct local_conf *conf, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };

	for (size_t i = 0; i < conf->n_wanted; i++) {
		char ip[CNI_IP_STRLEN];

		cni_buf_printf(&text, " %s", cni_ip_format(&conf->wanted[i], ip));
	}
	return text.len ? cni_invalid(err, "failed to allocate all requested IPs:%s", text.data)
			: 0;
}

static int local_add(const struct cni_args *args, struct cni_result *res, struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_allocator allocator = { &store, args->containerid, args->ifname, false };
	cni_auto(taken) struct local_taken taken = { &allocator, res, true };
	int r;

	r = local_read(args, &conf, err);
	if (r < 0)
		return r;
	if (!cni_lease_fits(args->containerid, args->ifname))
		return cni_fail(err, CNI_E_ENV, 0, "CNI_CONTAINERID is too long: %zu bytes",
				strlen(args->containerid));
	r = local_read_resolv_conf(&conf, res, err);
	if (r < 0)
		return r;
	r = cni_result_read_routes(res, conf.routes, err);
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, true, &store, err);
	if (r < 0)
		return r;
	allocator.reclaim = conf.reclaim;
	for (size_t i = 0; i < conf.sets.n && r == 0; i++)
		r = local_allocate(&allocator, &conf, i, res, err);
	if (r == 0)
		r = local_refuse_leftovers(&conf, err);
	if (r == 0)
		taken.armed = false; /* they stay taken */
	return r;
}

/* ---- the other verbs ---- */

struct local_valid;

struct local_sweep {
	const struct local_valid *valid; /* GC only */
	struct cni_store *store;
	struct cni_error *err;
	int result;
};

static void local_drop(struct local_sweep *s, const struct cni_lease *lease)
{
	int r = cni_store_release(s->store, lease, s->err);

	if (r < 0 && s->result == 0)
		s->result = r;
}

static int local_drop_own(const struct cni_lease *lease, void *ctx)
{
	local_drop(ctx, lease);
	return 0;
}

/* The owners whose leases GC keeps, as numbers (lease_index.h), sorted. */
struct local_valid {
	uint64_t *owner; /* owned */
	size_t n;
};

static void cni_auto_valid(struct local_valid *valid)
{
	free(valid->owner);
}

static int local_compare_owners(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each attachment, and each container for its old leases, which do not name an interface. */
static int local_list_valid(const struct cni_args *args, struct local_valid *ret,
			    struct cni_error *err)
{
	struct cni_valid valid;
	size_t at = 0;

	while (cni_conf_next_valid(args, &at, &valid))
		;
	ret->owner = calloc(2 * at + 1, sizeof(*ret->owner));
	if (!ret->owner)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "read cni.dev/valid-attachments");
	for (at = 0; cni_conf_next_valid(args, &at, &valid);) {
		ret->owner[ret->n++] = cni_index_owner(valid.containerid, valid.ifname);
		ret->owner[ret->n++] = cni_index_owner(valid.containerid, NULL);
	}
	qsort(ret->owner, ret->n, sizeof(*ret->owner), local_compare_owners);
	return 0;
}

static int local_drop_invalid(const struct cni_lease *lease, void *ctx)
{
	struct local_sweep *s = ctx;
	uint64_t owner = cni_index_owner(lease->containerid, lease->ifname);

	if (!bsearch(&owner, s->valid->owner, s->valid->n, sizeof(owner), local_compare_owners))
		local_drop(s, lease);
	return 0;
}

/* Open the store that the configuration names. @return -ENOENT if there is none: nothing is leased */
static int local_open(const struct cni_args *args, struct cni_store *store, struct cni_error *err)
{
	const char *data_dir = "";
	int r;

	r = local_read_data_dir(args, &data_dir, err);
	if (r < 0)
		return r;
	r = cni_store_open(data_dir, args->name, false, store, err);
	return r == -ENAMETOOLONG ? -ENOENT : r; /* ADD could not make it either */
}

static int local_del(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct local_sweep s = { .store = &store, .err = err };
	int r;

	r = local_open(args, &store, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = cni_store_each_of(&store, args->containerid, args->ifname, local_drop_own, &s,
				      err);
	return r < 0 ? r : s.result;
}

static int local_gc(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	cni_auto(valid) struct local_valid valid = { 0 };
	struct local_sweep s = { .valid = &valid, .store = &store, .err = err };
	int r;

	r = cni_conf_knows_valid(args, err);
	if (r <= 0)
		return r;
	r = local_list_valid(args, &valid, err);
	if (r < 0)
		return r;
	r = local_open(args, &store, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = cni_store_each(&store, local_drop_invalid, &s, err);
	return r < 0 ? r : s.result;
}

static int local_found(const struct cni_lease *lease, void *ctx)
{
	(void)lease;
	*(bool *)ctx = true;
	return 1;
}

static int local_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	bool found = false;
	int r;

	r = local_read(args, &conf, err);
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, false, &store, err);
	if (r == 0)
		r = cni_store_each_of(&store, args->containerid, args->ifname, local_found, &found,
				      err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r > 0)
		return 0;
	r = cni_fail(err, CNI_E_INTERNAL, 0,
		     "host-local: Failed to find address added by container %s", args->containerid);
	cni_error_detail(err, "no lease of interface %s below %s/%s", args->ifname, conf.data_dir,
			 args->name);
	return r;
}

static int local_status(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct cni_allocator allocator = { .store = &store };
	int r;

	r = local_read_keys(args, &conf, err);
	if (r == 0)
		r = local_read_ranges(args, &conf, err); /* none is fine: ADD may bring some */
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, false, &store, err);
	if (r == 0)
		r = cni_store_check_writable(&store);
	else if (r == -ENOENT)
		r = cni_dir_check_writable(conf.data_dir);
	if (r < 0) {
		struct cni_error why = { 0 };

		r = cni_fail(&why, CNI_E_UNAVAILABLE, -r, "leases can't be written below %s/%s",
			     conf.data_dir, args->name);
		cni_error_detail(&why, "ipam.dataDir chooses another directory");
		*err = why;
		return r;
	}
	allocator.reclaim = conf.reclaim;
	for (size_t i = 0; store.dir >= 0 && i < conf.sets.n && r == 0; i++)
		r = cni_allocate_possible(&allocator, &conf.sets.set[i], err);
	return r;
}

const struct cni_plugin cni_plugin_host_local = {
	.name = "host-local",
	.oldest = CNI_V0_1_0,
	.add = local_add,
	.del = local_del,
	.check = local_check,
	.gc = local_gc,
	.status = local_status,
};
