/*
 * What a backend of masquerading is: a table of functions, chosen once (masq.h).
 */
#ifndef CNI_MASQ_BACKEND_H
#define CNI_MASQ_BACKEND_H

#include "faults.h"
#include "plugin.h"

/** A backend. */
struct cni_masq_backend {
	const char *name; /**< value of "ipMasqBackend" in the configuration */
	/** cni_masq_add; a failure leaves nothing behind. */
	int (*add)(const struct cni_args *args, const struct cni_result *res, bool random_fully,
		   struct cni_error *err);
	/** cni_masq_check; NULL: nothing is looked at. */
	void (*check)(const struct cni_args *args, const struct cni_result *prev,
		      struct cni_faults *f);
	/** cni_masq_del; where the kernel lacks the backend there is nothing to remove. */
	int (*del)(const struct cni_args *args, struct cni_error *err);
	/** cni_masq_gc; likewise. */
	int (*gc)(const struct cni_args *args, struct cni_error *err);
};

/** Table "inet cni_plugins_masquerade" of nf_tables. */
extern const struct cni_masq_backend cni_masq_nft;
/** Tables nat of iptables and ip6tables, of the kind that the host uses. */
extern const struct cni_masq_backend cni_masq_ipt;

#endif
