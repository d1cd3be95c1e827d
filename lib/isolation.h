/*
 * Isolation of bridges (the firewall plugin's ingressPolicy): what comes out of one isolated bridge
 * does not go into another one. The Go plugin's chains, rules and comments to the letter; they belong
 * to the bridge, not to a container.
 */
#ifndef CNI_ISOLATION_H
#define CNI_ISOLATION_H

#include "ipt.h"

/** Who may reach a container on a bridge. */
enum cni_isolation {
	CNI_ISOLATION_OPEN, /**< everybody: no rules */
	CNI_ISOLATION_SAME_BRIDGE, /**< nobody from another isolated bridge */
	CNI_ISOLATION_ISOLATED, /**< nor from the same one, where bridges pass through iptables */
};

/** What leads from FORWARD to isolation; nothing that accepts may come before it. */
extern const struct cni_ipt_rule cni_isolation_hook;

/**
 * Note in a transaction the isolation of a bridge in one family. Never loosens what is there: another
 * network may use the same bridge.
 * @param bridge  1..15 bytes, not ending in '+'
 */
void cni_isolation_note(struct cni_ipt *tx, sa_family_t family, const char *bridge,
			enum cni_isolation policy);

/** Fail unless every rule is there. @return 0; -ENOENT if one is missing; other negative errno */
int cni_isolation_check(const struct cni_ipt_writer *writer, sa_family_t family, const char *bridge,
			enum cni_isolation policy, struct cni_error *err) cni_must_check;

/** Remove, with every writer, the rules of bridges that do not exist any more. @return 0; negative errno */
int cni_isolation_gc(struct cni_error *err) cni_must_check;

#endif
