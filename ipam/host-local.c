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
 * Besides: runtimeConfig.ipRanges (go before all others); requested addresses in CNI_ARGS IP,
 * args.cni.ips and runtimeConfig.ips.
 */
#include "conf.h"
#include "range.h"
#include "resolv.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define RESOLV_CONF_MAX (1u << 20)

struct local_conf {
	const char *data_dir; /* borrowed */
	const char *resolv_conf; /* borrowed; NULL = none */
	json_t *routes, *ranges, *single; /* borrowed */
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
		char text[CNI_PREFIX_STRLEN];

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
	if (args->version < CNI_V0_3_0 && (n4 > 1 || n6 > 1))
		return cni_invalid(err,
				   "CNI version %s does not support more than 1 address per family",
				   cni_version_name(args->version));
	return 0;
}

/* What DEL, GC and STATUS need: a configuration whose ranges no longer validate must do. */
static int local_read_store(const struct cni_args *args, struct local_conf *conf,
			    struct cni_error *err)
{
	static const struct cni_json_field fields[] = {
		{ "dataDir", CNI_JSON_STRING, offsetof(struct local_conf, data_dir) },
		{ "resolvConf", CNI_JSON_STRING, offsetof(struct local_conf, resolv_conf) },
		{ "routes", CNI_JSON_ARRAY, offsetof(struct local_conf, routes) },
		{ "ranges", CNI_JSON_ARRAY, offsetof(struct local_conf, ranges) },
	};
	json_t *ipam = cni_conf_ipam(args);
	int r;

	r = cni_conf_check_types(args, err);
	if (r < 0)
		return r;
	if (!ipam)
		return cni_invalid(err, "IPAM config missing 'ipam' key");
	conf->data_dir = "";
	r = cni_json_read(ipam, "ipam.", fields, CNI_ARRAY_SIZE(fields), conf, err);
	if (r < 0)
		return r;
	if (!*conf->data_dir)
		conf->data_dir = CNI_STORE_DIR;
	conf->single = json_object_get(ipam, "subnet") ? ipam : NULL;
	return 0;
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

	r = local_read_store(args, conf, err);
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
	struct cni_store *store;
	struct cni_ip *ip;
	size_t n;
};

static void cni_auto_taken(struct local_taken *taken)
{
	for (size_t i = 0; i < taken->n; i++) {
		struct cni_error err = { 0 };

		if (cni_store_release(taken->store, &taken->ip[i], &err) < 0)
			cni_note("undo of ADD: %s", err.msg);
	}
	free(taken->ip);
}

struct local_owner {
	const struct cni_args *args;
	const struct cni_range_set *set; /* NULL = any */
	struct cni_ip found;
};

static int local_find_own(const struct cni_lease *lease, void *ctx)
{
	struct local_owner *own = ctx;

	if (!cni_lease_is_of(lease, own->args->containerid, own->args->ifname) ||
	    (own->set && !cni_range_set_find(own->set, &lease->ip)))
		return 0;
	own->found = lease->ip;
	return 1;
}

static int local_refuse_second(const struct cni_args *args, struct cni_store *store,
			       const struct cni_range_set *set, struct cni_error *err)
{
	struct local_owner own = { .args = args, .set = set };
	char text[CNI_IP_STRLEN];
	int r;

	r = cni_store_each(store, local_find_own, &own, err);
	if (r <= 0)
		return r;
	r = cni_fail(err, CNI_E_INTERNAL, 0,
		     "%s has been allocated to %s, duplicate allocation is not allowed",
		     cni_ip_format(&own.found, text), args->containerid);
	cni_error_detail(err, "interface %s has this address since an ADD without DEL",
			 args->ifname);
	return r;
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

static int local_take_wanted(const struct cni_args *args, struct cni_store *store,
			     const struct cni_range_set *set, const struct cni_ip *ip,
			     const struct cni_range **ret, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };
	char ip_text[CNI_IP_STRLEN];
	int r;

	*ret = cni_range_set_find(set, ip);
	if (cni_ip_cmp(ip, &(*ret)->gateway) == 0)
		return cni_invalid(err, "requested ip %s is subnet's gateway",
				   cni_ip_format(ip, ip_text));
	r = cni_store_reserve(store, ip, args->containerid, args->ifname, err);
	if (r != -EEXIST)
		return r;
	cni_range_set_format(set, &text);
	cni_fail(err, CNI_E_INTERNAL, 0, "requested IP address %s is not available in range set %s",
		 cni_ip_format(ip, ip_text), text.data);
	return r;
}

static int local_take_next(const struct cni_args *args, struct cni_store *store, size_t index,
			   const struct cni_range_set *set, struct cni_ip *ip,
			   const struct cni_range **ret, struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };
	struct cni_range_walk walk;
	int r;

	cni_store_last(store, index, ip);
	cni_range_walk_begin(&walk, set, ip);
	while (cni_range_walk_next(&walk, ip, ret)) {
		r = cni_store_reserve(store, ip, args->containerid, args->ifname, err);
		if (r != -EEXIST)
			return r;
	}
	cni_range_set_format(set, &text);
	return cni_fail(err, CNI_E_INTERNAL, 0, "no IP addresses available in range set: %s",
			text.data);
}

static int local_allocate(const struct cni_args *args, struct local_conf *conf, size_t index,
			  struct local_taken *taken, struct cni_result *res, struct cni_error *err)
{
	const struct cni_range_set *set = &conf->sets.set[index];
	struct cni_ipconf got = { .iface = -1 };
	const struct cni_range *range;
	struct cni_ip *ip = &taken->ip[taken->n];
	int r;

	r = local_refuse_second(args, taken->store, set, err);
	if (r < 0)
		return r;
	if (local_pick_wanted(conf, set, ip))
		r = local_take_wanted(args, taken->store, set, ip, &range, err);
	else
		r = local_take_next(args, taken->store, index, set, ip, &range, err);
	if (r < 0)
		return r;
	taken->n++;
	r = cni_store_set_last(taken->store, index, ip, err);
	if (r < 0)
		return r;
	got.address.ip = *ip;
	got.address.len = range->subnet.len;
	got.gateway = range->gateway;
	return cni_result_add_ip(res, &got);
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
	cni_auto(taken) struct local_taken taken = { .store = &store };
	int r;

	r = local_read(args, &conf, err);
	if (r < 0)
		return r;
	r = local_read_resolv_conf(&conf, res, err);
	if (r < 0)
		return r;
	r = cni_result_read_routes(res, conf.routes, err);
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, true, &store, err);
	if (r < 0)
		return r;
	taken.ip = calloc(conf.sets.n, sizeof(*taken.ip));
	if (!taken.ip)
		return cni_fail(err, CNI_E_INTERNAL, ENOMEM, "allocate");
	for (size_t i = 0; i < conf.sets.n; i++) {
		r = local_allocate(args, &conf, i, &taken, res, err);
		if (r < 0) {
			cni_error_prefix(err, "failed to allocate for range %zu", i);
			return r;
		}
	}
	r = local_refuse_leftovers(&conf, err);
	if (r < 0)
		return r;
	taken.n = 0; /* they stay taken */
	return 0;
}

/* ---- the other verbs ---- */

struct local_sweep {
	const struct cni_args *args;
	struct cni_store *store;
	struct cni_error *err;
	int result;
};

static void local_drop(struct local_sweep *s, const struct cni_lease *lease)
{
	int r = cni_store_release(s->store, &lease->ip, s->err);

	if (r < 0 && s->result == 0)
		s->result = r;
}

static int local_drop_own(const struct cni_lease *lease, void *ctx)
{
	struct local_sweep *s = ctx;

	if (cni_lease_is_of(lease, s->args->containerid, s->args->ifname))
		local_drop(s, lease);
	return 0;
}

static int local_drop_invalid(const struct cni_lease *lease, void *ctx)
{
	struct local_sweep *s = ctx;
	struct cni_valid valid;
	size_t at = 0;

	while (cni_conf_next_valid(s->args, &at, &valid))
		if (cni_lease_is_of(lease, valid.containerid, valid.ifname))
			return 0;
	local_drop(s, lease);
	return 0;
}

static int local_sweep(const struct cni_args *args,
		       int (*drop)(const struct cni_lease *lease, void *ctx), struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct local_sweep s = { .args = args, .store = &store, .err = err };
	int r;

	r = local_read_store(args, &conf, err);
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, false, &store, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = cni_store_each(&store, drop, &s, err);
	return r < 0 ? r : s.result;
}

static int local_del(const struct cni_args *args, struct cni_error *err)
{
	return local_sweep(args, local_drop_own, err);
}

static int local_gc(const struct cni_args *args, struct cni_error *err)
{
	int r = cni_conf_knows_valid(args, err);

	return r <= 0 ? r : local_sweep(args, local_drop_invalid, err);
}

static int local_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct local_owner own = { .args = args };
	int r;

	r = local_read(args, &conf, err);
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, false, &store, err);
	if (r == 0)
		r = cni_store_each(&store, local_find_own, &own, err);
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

/* Stops at the first free address of the set. */
static int local_status_set(struct cni_store *store, const struct cni_range_set *set, size_t index,
			    struct cni_error *err)
{
	cni_auto(buf) struct cni_buf text = { 0 };
	const struct cni_range *range;
	struct cni_range_walk walk;
	struct cni_ip ip;

	cni_store_last(store, index, &ip);
	cni_range_walk_begin(&walk, set, &ip);
	while (cni_range_walk_next(&walk, &ip, &range))
		if (cni_store_is_free(store, &ip))
			return 0;
	cni_range_set_format(set, &text);
	return cni_fail(err, CNI_E_UNAVAILABLE, 0, "no IP addresses available in range set: %s",
			text.data);
}

static int local_status(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(local) struct local_conf conf = { 0 };
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	int r;

	r = local_read_store(args, &conf, err);
	if (r == 0)
		r = local_read_ranges(args, &conf,
				      err); /* may be none: runtimes give some with ADD */
	if (r < 0)
		return r;
	r = cni_store_open(conf.data_dir, args->name, false, &store, err);
	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; i < conf.sets.n && r == 0; i++)
		r = local_status_set(&store, &conf.sets.set[i], i, err);
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
