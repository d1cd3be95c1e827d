/*
 * The executable: picks the plugin by the name it was called by. Under any other name it is
 * the operator's tool.
 */
#include "json.h"
#include "skel.h"
#include "tool.h"

#include <string.h>

extern const struct cni_plugin cni_plugin_bandwidth, cni_plugin_bridge, cni_plugin_dummy,
	cni_plugin_firewall, cni_plugin_host_local, cni_plugin_ipvlan, cni_plugin_loopback,
	cni_plugin_macvlan, cni_plugin_portmap, cni_plugin_ptp, cni_plugin_static,
	cni_plugin_tuning, cni_plugin_vlan;

static const struct cni_plugin *const plugins[] = {
	&cni_plugin_bandwidth,	&cni_plugin_bridge,
	&cni_plugin_dummy,	&cni_plugin_firewall,
	&cni_plugin_host_local, &cni_plugin_ipvlan,
	&cni_plugin_loopback,	&cni_plugin_macvlan,
	&cni_plugin_portmap,	&cni_plugin_ptp,
	&cni_plugin_static,	&cni_plugin_tuning,
	&cni_plugin_vlan,	NULL,
};

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "";
	const char *slash = strrchr(name, '/');

	if (slash)
		name = slash + 1;
	cni_json_watch_memory();
	for (const struct cni_plugin *const *p = plugins; *p; p++)
		if (strcmp(name, (*p)->name) == 0)
			return cni_serve(*p, plugins);
	return cni_tool(argc, argv, plugins);
}
