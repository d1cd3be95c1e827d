/*
 * Fuzz: a whole configuration through what every plugin reads of it. The first byte chooses the
 * version, the rest is the configuration. A result that is read is printed and read again.
 */
#include "conf.h"
#include "vlan.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_prev_result(const struct cni_args *args)
{
	cni_auto(result) struct cni_result prev = { 0 }, again = { 0 };
	cni_auto(json) json_t *obj = NULL;
	struct cni_error err = { 0 };

	if (cni_conf_prev_result(args, &prev, &err) < 0) {
		assert(err.set && err.msg[0]);
		return;
	}
	if (cni_result_to_json(&prev, args->version, &obj, &err) < 0)
		return; /* an old version with no address */
	assert(cni_result_read(obj, args->version, &again, &err) == 0);
	assert(cni_version_shape(args->version) == CNI_SHAPE_IP4_IP6 ||
	       (again.n_ips == prev.n_ips && again.n_routes == prev.n_routes &&
		again.n_ifaces == prev.n_ifaces));
	assert(cni_conf_apply_dns(args, &prev, NULL) == 0);
}

static void check_trunk(json_t *list)
{
	struct cni_vlan_set trunk = { 0 }, again = { 0 };
	struct cni_vlan_run run = { 0 };
	struct cni_vlan_port port;
	struct cni_error err = { 0 };

	if (!json_is_array(list) || cni_vlan_read_trunk(list, &trunk, &err) < 0) {
		assert(!json_is_array(list) || (err.set && err.msg[0]));
		return;
	}
	while (cni_vlan_set_next(&trunk, &run)) {
		assert(run.first >= CNI_VLAN_FIRST && run.last <= CNI_VLAN_LAST);
		assert(run.first <= run.last);
		cni_vlan_set_add(&again, run.first, run.last);
	}
	assert(memcmp(&trunk, &again, sizeof(trunk)) == 0);
	port = cni_vlan_port_plan(0, &trunk, false);
	assert(!cni_vlan_set_has(&port.tagged, port.native));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[JSON_ERROR_TEXT_LENGTH];
	struct cni_args args = { .cni_args = "IgnoreUnknown=1;MAC=0a:00:00:00:00:01" };
	cni_auto(json) json_t *conf = NULL;
	struct cni_error err = { 0 };
	struct cni_valid valid;
	uint8_t mac[CNI_MAC_LEN];
	size_t at = 0;

	if (size == 0)
		return 0;
	args.version = (enum cni_version)(data[0] % CNI_VERSIONS);
	args.config = (const char *)data + 1;
	args.config_len = size - 1;
	conf = cni_json_parse(args.config, args.config_len, why);
	args.conf = conf;
	if (!json_is_object(conf))
		return 0;
	check_trunk(json_object_get(conf, "vlanTrunk"));
	if (cni_conf_mac(&args, "", "make", mac, NULL) > 0)
		assert(!(mac[0] & 1));
	if (cni_conf_knows_valid(&args, NULL) > 0)
		while (cni_conf_next_valid(&args, &at, &valid))
			assert(valid.containerid && valid.ifname);
	if (cni_conf_check_types(&args, &err) < 0) {
		assert(err.set && err.msg[0]);
		return 0;
	}
	assert(cni_conf_ipam_type(&args));
	check_prev_result(&args);
	return 0;
}
