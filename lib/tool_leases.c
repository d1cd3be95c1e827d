/*
 * `ccni leases`: what host-local has given out, to whom, since when, and what is wrong with it.
 * Reads the files without the lock and writes none.
 */
#include "names.h"
#include "store.h"
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct listing {
	const char *network;
	json_t *list; /* owned; one object for each file under an address's name */
};

static const char *state(const struct cni_store_entry *e)
{
	return e->torn ? "torn" : !e->lease ? "foreign" : e->old_boot ? "stale" : "held";
}

static int add_entry(const struct cni_store_entry *e, void *ctx)
{
	struct listing *l = ctx;
	time_t since = (time_t)e->since;
	char ip[CNI_IP_STRLEN], when[32] = "";
	json_t *obj = json_object();
	struct tm tm;

	if (gmtime_r(&since, &tm))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_object_set_new(obj, "network", json_string(l->network));
	json_object_set_new(obj, "address", json_string(cni_ip_format(&e->ip, ip)));
	if (e->lease) {
		json_object_set_new(obj, "containerID", json_string_nocheck(e->lease->containerid));
		if (e->lease->ifname)
			json_object_set_new(obj, "ifname", json_string_nocheck(e->lease->ifname));
	}
	json_object_set_new(obj, "since", json_string(when));
	json_object_set_new(obj, "state", json_string(state(e)));
	return json_array_append_new(l->list, obj) < 0 ? -ENOMEM : 0;
}

/* @return 0; -ENOENT if there is no such network */
static int list_network(const char *data_dir, const char *network, json_t *list)
{
	cni_auto(store) struct cni_store store = CNI_STORE_INIT;
	struct listing l = { network, list };
	struct cni_error err = { 0 };
	int r;

	r = cni_store_open_to_look(data_dir, network, &store);
	if (r == 0)
		r = cni_store_inspect(&store, add_entry, &l, &err);
	return r;
}

static int list_all(const char *data_dir, json_t *list)
{
	DIR *dir = opendir(data_dir);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (r == 0 && (entry = readdir(dir))) {
		if (!cni_name_is_valid(entry->d_name))
			continue;
		r = list_network(data_dir, entry->d_name, list);
		if (r == -ENOTDIR || r == -ENOENT)
			r = 0;
	}
	closedir(dir);
	return r;
}

static int compare(const void *a, const void *b)
{
	json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	struct cni_ip p = { 0 }, q = { 0 };
	int r = strcmp(json_string_value(json_object_get(x, "network")),
		       json_string_value(json_object_get(y, "network")));

	if (r)
		return r;
	(void)!cni_ip_parse(json_string_value(json_object_get(x, "address")), &p);
	(void)!cni_ip_parse(json_string_value(json_object_get(y, "address")), &q);
	return cni_ip_cmp(&p, &q);
}

/* By network and address. @return 0; -ENOMEM, also if something is missing in the list */
static int sort(json_t *list, json_t **ret)
{
	size_t n = json_array_size(list);
	cni_auto(free) json_t **item = calloc(n + 1, sizeof(json_t *));

	if (!item || cni_json_lacked_memory())
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		item[i] = json_array_get(list, i);
	qsort(item, n, sizeof(json_t *), compare);
	*ret = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append(*ret, item[i]);
	return cni_json_lacked_memory() ? -ENOMEM : 0;
}

static void print_table(json_t *list, struct cni_buf *out)
{
	static const struct {
		const char *key, *title;
		int width;
	} columns[] = {
		{ "network", "NETWORK", 12 },	    { "address", "ADDRESS", 15 },
		{ "containerID", "CONTAINER", 24 }, { "ifname", "INTERFACE", 9 },
		{ "since", "SINCE", 20 },	    { "state", "STATE", 5 },
	};
	json_t *obj;
	size_t i;

	for (i = 0; i < CNI_ARRAY_SIZE(columns); i++)
		cni_buf_printf(out, "%-*s  ", columns[i].width, columns[i].title);
	cni_buf_printf(out, "\n");
	json_array_foreach (list, i, obj) {
		for (size_t k = 0; k < CNI_ARRAY_SIZE(columns); k++)
			cni_tool_cell(out, json_string_value(json_object_get(obj, columns[k].key)),
				      columns[k].width);
		cni_buf_printf(out, "\n");
	}
}

static int print_list(json_t *list, bool as_json)
{
	cni_auto(buf) struct cni_buf out = { 0 };

	if (as_json) {
		cni_json_print(list, false, &out);
		cni_buf_printf(&out, "\n");
	} else {
		print_table(list, &out);
	}
	return cni_tool_print(&out);
}

static int wrong_call(void)
{
	dprintf(STDERR_FILENO, "usage: ccni leases [NETWORK] [--json] [--data-dir DIR]\n");
	return 2;
}

int cni_tool_leases(int argc, char **argv, const struct cni_plugin *const *plugins)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "data-dir", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	const char *data_dir = CNI_STORE_DIR, *network;
	cni_auto(json) json_t *list = json_array(), *in_order = NULL;
	bool as_json = false;
	int o, r;

	(void)plugins;
	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'j')
			as_json = true;
		else if (o == 'd')
			data_dir = optarg;
		else
			return wrong_call();
	}
	network = argv[optind];
	if (argc - optind > 1 || (network && !cni_name_is_valid(network)))
		return wrong_call();
	r = network ? list_network(data_dir, network, list) : list_all(data_dir, list);
	if (r == 0)
		r = sort(list, &in_order);
	if (r < 0) {
		dprintf(STDERR_FILENO, "ccni leases: %s%s%s: %s\n", data_dir, network ? "/" : "",
			network ? network : "", cni_strerror(-r));
		return 1;
	}
	return print_list(in_order, as_json);
}
