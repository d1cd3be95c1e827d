/*
 * tuning: what its parts share. The plugin is in three files: its configuration (tuning_conf.c), CHECK
 * (tuning_check.c), and the other verbs (tuning.c).
 *
 * Keys (default):
 *   sysctl    object ({})    parameter -> value, as "net.ipv4.conf.IFNAME.arp_filter": "1"; IFNAME stands
 *                            for the interface; only what the operator's list allows, if there is one
 *   mac       string         of the interface
 *   mtu       int (0)        bytes; 0 = as it is
 *   promisc   bool (false)   true: promiscuous; false: as it is
 *   allmulti  bool           receive all multicast, or not; absent = as it is
 *   txQLen    int            packets; absent = as it is
 *   dataDir   string ("/run/cni/tuning")   where the old attributes are kept
 *   CNI_ARGS MAC, runtimeConfig.mac, args.cni.{sysctl,mac,mtu,promisc,allmulti,txQLen}
 *                            override those above, each one the ones before it
 */
#ifndef TUNING_H
#define TUNING_H

#include "link_backup.h"
#include "sysctl.h"

/** Its prevResult is missing, in the Go plugin's words, with ADD and CHECK. */
#define TUNING_CHAINED "Required prevResult missing"

/** The configuration; `{0}` is none. Strings are borrowed from the request. */
struct tuning_conf {
	const char *data_dir; /**< never empty once it is read */
	const char *mac; /**< as it is spelled; "" = none */
	json_int_t mtu, txqlen;
	bool promisc, allmulti;
	json_t *from_conf, *from_args; /**< "sysctl" of both places, borrowed */
	json_t *all; /**< both, owned; keys as they are written */
	struct cni_sysctl *sysctl; /**< owned; those of `all`, each once */
	size_t n_sysctl;
	struct cni_link_attrs want; /**< of the interface */
	char env_mac[64]; /**< what does not fit is no MAC, also when it is cut */
};

static inline void cni_auto_tuning_conf(struct tuning_conf *c)
{
	json_decref(c->all);
	cni_sysctl_done(c->sysctl, c->n_sysctl);
	free(c->sysctl);
}

/** Read "dataDir" alone: all that DEL and GC need. @return 0; -EINVAL */
int tuning_read_data_dir(const struct cni_args *args, struct tuning_conf *c,
			 struct cni_error *err) cni_must_check;

/**
 * Read everything, and check it.
 * @param c  to be released also after a failure
 * @return 0; negative errno
 */
int tuning_read(const struct cni_args *args, struct tuning_conf *c,
		struct cni_error *err) cni_must_check;

/**
 * Hold the parameters against the operator's list. No list allows everything below net; one that can't be
 * read, nothing.
 * @return 0; negative errno
 */
int tuning_check_allowed(const struct tuning_conf *c, struct cni_error *err) cni_must_check;

/** One call's work on one link. */
struct tuning {
	struct tuning_conf conf;
	int netns; /**< owned */
	struct cni_nl nl; /**< in the container */
	struct cni_link link; /**< index 0 = not looked up */
	struct cni_link_attrs old; /**< what it was before, or is to be again */
	struct cni_link_backup backup;
};

static inline void cni_auto_tuning(struct tuning *t)
{
	cni_auto_tuning_conf(&t->conf);
	cni_nl_close(&t->nl);
	cni_auto_fd(&t->netns);
}
#define TUNING_INIT                            \
	{                                      \
		.netns = -1, .nl = CNI_NL_INIT \
	}

/**
 * Open the container's namespace, and look up its interface.
 *
 * @param t          its `conf` is read; release with cni_auto(tuning), also after a failure
 * @param with_link  false: the interface does not matter
 * @return 0; -ENODEV if there is no such interface, without @p err; as cni_netns_open
 */
int tuning_open(const struct cni_args *args, struct tuning *t, bool with_link,
		struct cni_error *err) cni_must_check;

/** The verb CHECK. @return 0; negative errno */
int tuning_check(const struct cni_args *args, struct cni_error *err);

#endif
