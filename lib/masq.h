/*
 * Masquerading of containers' addresses, in one of two backends: nftables, or the iptables of the host
 * (ipt.h). Tables, chains, rules and comments are those of the Go plugins, so that either implementation
 * removes what the other one added. No program is run.
 */
#ifndef CNI_MASQ_H
#define CNI_MASQ_H

#include "faults.h"
#include "plugin.h"
#include "undo.h"

/** How to masquerade. */
struct cni_masq_conf {
	const char *backend; /**< "nftables", "iptables"; "" = iptables if the host has it */
	bool random_fully; /**< choose source ports at random; without it they are guessable */
};

/** @return whether there is such a backend; "" is the host's own */
bool cni_masq_knows(const char *backend);

/**
 * Masquerade what leaves the subnet of each address of a result. Makes tables and chains if they are
 * not there.
 *
 * @param args  network, container and interface: the attachment that owns the rules; borrowed until @p undo has run or
 *              was disarmed
 * @param conf  with a backend that cni_masq_knows
 * @param undo  gains one step: remove the rules; also after a failure, as it may be the answer alone that was lost
 * @return 0; negative errno: nothing was changed, as far as can be known; -EAGAIN with CNI_E_RETRY if others hold the lock
 */
int cni_masq_add(const struct cni_args *args, const struct cni_masq_conf *conf,
		 const struct cni_result *res, struct cni_undo *undo,
		 struct cni_error *err) cni_must_check;

/**
 * Check that there is a rule of the attachment for each address of a result. Only if nftables is named as
 * the backend, and only its own chain is looked at: else the rules may be in another one.
 */
void cni_masq_check(const struct cni_args *args, const struct cni_masq_conf *conf,
		    const struct cni_result *prev, struct cni_faults *f);

/**
 * Remove every rule of an attachment from every backend, whatever it was added by. Tables and shared
 * chains stay.
 *
 * Needs neither the addresses nor the namespace. With iptables, interfaces of one container in one
 * network are told apart by their addresses: those that the container still has on other interfaces stay
 * masqueraded.
 *
 * @return 0, also if there is none or the kernel has no packet filter; negative errno
 */
int cni_masq_del(const struct cni_args *args, struct cni_error *err) cni_must_check;

/**
 * Remove every rule of a network that belongs to no valid attachment (conf.h, cni_conf_next_valid).
 * @return 0; negative errno
 */
int cni_masq_gc(const struct cni_args *args, struct cni_error *err) cni_must_check;

#endif
