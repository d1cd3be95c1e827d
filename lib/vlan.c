/*
 * Sets of VLANs; see vlan.h.
 */
#include "vlan.h"

#include <errno.h>

void cni_vlan_set_add(struct cni_vlan_set *set, unsigned int first, unsigned int last)
{
	for (unsigned int id = first; id <= last; id++)
		set->word[id / 64] |= UINT64_C(1) << id % 64;
}

void cni_vlan_set_remove(struct cni_vlan_set *set, unsigned int id)
{
	set->word[id / 64] &= ~(UINT64_C(1) << id % 64);
}

bool cni_vlan_set_has(const struct cni_vlan_set *set, unsigned int id)
{
	return set->word[id / 64] >> id % 64 & 1;
}

bool cni_vlan_set_next(const struct cni_vlan_set *set, struct cni_vlan_run *run)
{
	unsigned int id = run->last + 1;

	while (id <= CNI_VLAN_LAST && !cni_vlan_set_has(set, id))
		id += set->word[id / 64] >> id % 64 ? 1 : 64 - id % 64;
	if (id > CNI_VLAN_LAST)
		return false;
	run->first = id;
	while (id < CNI_VLAN_LAST && cni_vlan_set_has(set, id + 1))
		id++;
	run->last = id;
	return true;
}

/* ---- vlanTrunk ---- */

static bool is_legal(json_int_t id)
{
	return id >= CNI_VLAN_FIRST && id <= CNI_VLAN_LAST;
}

static int refuse(struct cni_error *err, size_t at, const char *what)
{
	cni_invalid(err, "%s", what);
	cni_error_detail(err, "vlanTrunk[%zu]; VLAN ids are %d to %d", at, CNI_VLAN_FIRST,
			 CNI_VLAN_LAST);
	return -EINVAL;
}

static int read_element(json_t *obj, size_t at, struct cni_vlan_set *ret, struct cni_error *err)
{
	struct element {
		json_int_t min, max, id;
	} e = { 0 };
	static const struct cni_json_field fields[] = {
		{ "minID", CNI_JSON_INT, offsetof(struct element, min) },
		{ "maxID", CNI_JSON_INT, offsetof(struct element, max) },
		{ "id", CNI_JSON_INT, offsetof(struct element, id) },
	};
	bool has_min = json_object_get(obj, "minID"), has_max = json_object_get(obj, "maxID");
	int r;

	if (!json_is_object(obj))
		return cni_invalid(err, "failed to load netconf: vlanTrunk: expected objects");
	r = cni_json_read(obj, "vlanTrunk.", fields, CNI_ARRAY_SIZE(fields), &e, err);
	if (r < 0) {
		cni_error_prefix(err, "failed to load netconf");
		return r;
	}
	if (has_min != has_max)
		return refuse(err, at,
			      has_max ? "minID and maxID should be configured simultaneously, "
					"minID is missing"
				      : "minID and maxID should be configured simultaneously, "
					"maxID is missing");
	if (has_min && !is_legal(e.min))
		return refuse(err, at, "incorrect trunk minID parameter");
	if (has_min && !is_legal(e.max))
		return refuse(err, at, "incorrect trunk maxID parameter");
	if (has_min && e.min > e.max)
		return refuse(err, at, "minID is greater than maxID in trunk parameter");
	if (json_object_get(obj, "id") && !is_legal(e.id))
		return refuse(err, at, "incorrect trunk id parameter");
	if (has_min)
		cni_vlan_set_add(ret, (unsigned int)e.min, (unsigned int)e.max);
	if (is_legal(e.id))
		cni_vlan_set_add(ret, (unsigned int)e.id, (unsigned int)e.id);
	return 0;
}

int cni_vlan_read_trunk(json_t *list, struct cni_vlan_set *ret, struct cni_error *err)
{
	json_t *element;
	size_t i;

	json_array_foreach (list, i, element) {
		int r = json_is_null(element) ? 0 : read_element(element, i, ret, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- a port ---- */

struct cni_vlan_port cni_vlan_port_plan(unsigned int vlan, const struct cni_vlan_set *trunk,
					bool keep_default)
{
	struct cni_vlan_port port = { .native = vlan, .keep_default = keep_default };
	struct cni_vlan_run run = { 0 };

	if (vlan == 0 && cni_vlan_set_next(trunk, &run))
		port.native = CNI_VLAN_DEFAULT;
	port.tagged = *trunk;
	cni_vlan_set_remove(&port.tagged, port.native);
	return port;
}
