/*
 * Masquerading of containers' addresses in native nf_tables: table "inet cni_plugins_masquerade" with
 * the chains, rules and comments that the Go plugins' nftables backend makes, so that either
 * implementation removes what the other one added.
 *
 * One rule per address, in one atomic batch over one socket; no program is run. Rules carry their
 * owner (names.h) in the comment, so removing them needs neither the address nor the namespace.
 */
#ifndef CNI_MASQ_H
#define CNI_MASQ_H

#include "faults.h"
#include "plugin.h"

/**
 * Masquerade what leaves the subnet of each address of a result. Makes the table and chains if they
 * are not there.
 *
 * @param net          network, with container and interface the attachment that owns the rules
 * @param containerid  container
 * @param ifname       interface
 * @return 0; negative errno: nothing was changed, unless the kernel's answer was lost (-ENOBUFS)
 */
int cni_masq_add(const char *net, const char *containerid, const char *ifname,
		 const struct cni_result *res, struct cni_error *err) cni_must_check;

/**
 * Check that there is a rule of the attachment for each address of a result. Looks at our own chain
 * only.
 */
void cni_masq_check(const char *net, const char *containerid, const char *ifname,
		    const struct cni_result *prev, struct cni_faults *f);

/**
 * Remove every rule of an attachment. The table and its chains stay.
 * @return 0, also if there is none or the kernel has no nf_tables; negative errno
 */
int cni_masq_del(const char *net, const char *containerid, const char *ifname,
		 struct cni_error *err) cni_must_check;

/**
 * Remove every rule of a network that belongs to no valid attachment (conf.h, cni_conf_next_valid).
 * @return 0; negative errno
 */
int cni_masq_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
