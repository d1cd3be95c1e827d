/*
 * Host ports that lead to a container: the rules of portmap, in one of two backends, each with the
 * names, comments and order of the Go plugins' backend of the same name, so that either implementation
 * removes what the other one added.
 *
 * Whose rules they are is said by network and container (the iptables backend, in the name of a
 * chain), or by the container's id alone (the nftables backend's comments; ours add who it is where
 * nft does not show it).
 */
#ifndef CNI_HOSTPORT_H
#define CNI_HOSTPORT_H

#include "mapping.h"
#include "names.h"
#include "nft_tx.h"
#include "plugin.h"

/** Places of what there is for each family. */
enum cni_hostport_family { CNI_HOSTPORT_V4, CNI_HOSTPORT_V6, CNI_HOSTPORT_FAMILIES };

/** @return AF_INET or AF_INET6 */
static inline sa_family_t cni_hostport_af(int family)
{
	return family == CNI_HOSTPORT_V4 ? AF_INET : AF_INET6;
}

/** What is wanted for one attachment. Borrows everything. */
struct cni_hostport {
	const char *net, *containerid, *ifname;
	struct cni_prefix ip[CNI_HOSTPORT_FAMILIES]; /**< the container's; AF_UNSPEC: has none */
	struct cni_mapping_list mappings;
	struct cni_condition condition[CNI_HOSTPORT_FAMILIES];
	bool snat; /**< masquerade what would be answered past this host */
	bool masq_all; /**< masquerade every source */
	uint32_t mark; /**< iptables: one bit, "please masquerade" */
	const char *set_mark_chain; /**< iptables: who sets it instead of ours; NULL: nobody */
	bool was_here; /**< the attachment may have rules and ports of an earlier ADD */
	bool again; /**< it has such ports: its rules are to be replaced */
};

/** A backend. Every function returns 0 or a negative errno, with @p err. */
struct cni_hostport_ops {
	const char *name; /**< value of the key "backend" */
	/** Fail unless ADD could do its work now. */
	int (*usable)(struct cni_error *err);
	/** @return whether rules are written at once, not in nf_tables; NULL: never */
	bool (*is_apart)(void);
	/**
	 * Put the rules in place of those the attachment has, if it had ports (`again`, looked at when it is
	 * done): in nf_tables when @p tx is committed, else at once.
	 * @param hp  must live until the commit
	 */
	int (*add)(const struct cni_hostport *hp, struct cni_nft_tx *tx, struct cni_error *err);
	/**
	 * Remove the attachment's rules, in nf_tables when @p tx is committed, else at once; none is fine.
	 * @return 1 if it had some that were removed at once; 0; negative errno
	 */
	int (*del)(const struct cni_hostport *hp, struct cni_nft_tx *tx, struct cni_error *err);
	/** Fail, saying what is missing, unless the rules are all there. */
	int (*check)(const struct cni_hostport *hp, struct cni_error *err);
	/**
	 * See whether there are rules of an attachment.
	 * @param owner  as names.h makes it
	 * @param chain  as cni_chain_name makes it
	 * @return 1; 0; negative errno
	 */
	int (*holds)(const char *owner, const char *chain);
	/** @return whether the attachment may have rules of an earlier ADD; no list is asked for */
	bool (*was_here)(const struct cni_hostport *hp);
	/** Remove the rules of this network's attachments that are not valid (conf.h). */
	int (*gc)(const struct cni_args *args, struct cni_error *err);
};

extern const struct cni_hostport_ops cni_hostport_nft, cni_hostport_ipt;

/** Every backend, then NULL: DEL and GC go over all of them. */
extern const struct cni_hostport_ops *const cni_hostport_backends[];

/**
 * The backend to take when the configuration names none: iptables if the host has it, else nftables,
 * as the Go plugins choose.
 */
const struct cni_hostport_ops *cni_hostport_default(void);

/** @return of two removals: the first failure; else 1 if one of them removed something, or 0 */
static inline int cni_hostport_joined(int result, int r)
{
	return result < 0 ? result : r < 0 ? r : result | r;
}

/**
 * Remove the rules of an attachment, of whichever backend, and give back its ports with the last of them:
 * nobody gets a port that rules of others still lead elsewhere. In nf_tables it is one transaction; only
 * if that fails is each removed on its own.
 *
 * @param hp  says who it is; its list of ports, if it is known, and its addresses save looking for them
 * @return 1 if there was something to remove; 0 if there was nothing; negative errno
 */
int cni_hostport_remove(const struct cni_hostport *hp, struct cni_error *err) cni_must_check;

/**
 * Have the kernel forget flows of UDP and SCTP for which rules that came or went would count for nothing:
 * they go on as they began. All ports cost one walk over its table, or few; none without such ports.
 *
 * @param gone    true: flows that were translated to the container, without a list of ports those of any
 *                port; false: flows to its ports that do not reach it
 * @param shared  others may have the same ports, and keep their flows
 * @return 0; -EAGAIN if some were left after 3 seconds; other negative errno
 */
int cni_hostport_forget(const struct cni_hostport *hp, bool gone, bool shared,
			struct cni_error *err) cni_must_check;

/**
 * @return whether ADD makes rules for a family: it does, as the Go plugins do, and look for, even if none of the
 *         mappings is for that family
 */
bool cni_hostport_concerns(const struct cni_hostport *hp, int family);

/** @return whether a mapping of @p hp concerns a family that the container has an address of */
bool cni_hostport_has(const struct cni_hostport *hp, int family);

/**
 * @return whether ports are wanted in a family: one that the container has no address of is left to
 *         others. DEL may know of no address: then both are
 */
bool cni_hostport_needs(const struct cni_hostport *hp, int family);

/**
 * Call @p fn for each port of a family that the attachment needs for itself, once for several mappings of
 * one port and address.
 * @return 0; what @p fn returned, if it was not 0
 */
int cni_hostport_each_port(const struct cni_hostport *hp,
			   int (*fn)(const struct cni_mapping *m, int family, void *ctx),
			   void *ctx);

/** @return how often cni_hostport_each_port() calls */
unsigned int cni_hostport_count(const struct cni_hostport *hp);

/**
 * The container's addresses: the first one of each family that is not another interface's.
 * @param prev  the result that portmap was given
 * @see reference 2.4
 */
void cni_hostport_addresses(struct cni_hostport *hp, const struct cni_result *prev);

/**
 * Let the host reach the container's ports by 127.0.0.1: route_localnet of the interface that leads to
 * the container. Done only where the container is on that very link: nobody else's packets to 127/8 are
 * to be let in by another one.
 * @return 0; negative errno
 */
int cni_hostport_enable_localhost(const struct cni_hostport *hp,
				  struct cni_error *err) cni_must_check;

#endif
