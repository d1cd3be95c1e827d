/*
 * Configurations, in parts, of the tests that hold two implementations against each other. In them ' stands
 * for ", and @ for the version: conf() of peer_state.h.
 */
#ifndef TESTS_PEER_CONFIGS_H
#define TESTS_PEER_CONFIGS_H

#define BRIDGE(more) "{'cniVersion':'@','name':'net1','type':'bridge','bridge':'br0'" more "}"
#define LOCAL(more) ",'ipam':{'type':'host-local'," more "}"
#define V4 "'subnet':'10.1.0.0/24'"
#define V6 "'subnet':'fd00:1::/64'"
#define DUAL "'ranges':[[{" V4 "}],[{" V6 "}]],'routes':[{'dst':'0.0.0.0/0'},{'dst':'::/0'}]"
#define GW ",'isGateway':true"
#define DEFAULT_GW ",'isDefaultGateway':true"

#endif
