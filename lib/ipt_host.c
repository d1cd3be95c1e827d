/*
 * Which kind of iptables the host uses; see ipt.h, cni_ipt_host().
 */
#include "ipt.h"
#include "ipt_writer.h"
#include "nft_look.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What kubelet makes in table mangle of the iptables that it was given, for others to see. */
static const char *const kubelet_chains[] = { "KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY" };

/* Look for iptables along a path. @return its real path, owned; NULL if there is none */
static char *find_iptables(const char *dirs)
{
	while (*dirs) {
		int len = (int)strcspn(dirs, ":");
		cni_auto(free) char *file = NULL;
		struct stat st;

		/* Never what happens to lie in the current directory. */
		if (*dirs == '/' && asprintf(&file, "%.*s/iptables", len, dirs) >= 0 &&
		    stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
			return realpath(file, NULL);
		dirs += len;
		dirs += *dirs == ':';
	}
	return NULL;
}

static const char *search_path(void)
{
	const char *path = getenv("PATH");

	return path ? path : "";
}

/* @return the writer that a program's name tells; NULL if it tells none */
static const struct cni_ipt_writer *by_name(const char *path)
{
	const char *name = strrchr(path, '/');

	name = name ? name : path;
	if (strstr(name, "legacy"))
		return &cni_ipt_legacy;
	return strstr(name, "nft") ? &cni_ipt_nft : NULL;
}

static bool nft_has_kubelet(void)
{
	cni_auto(nft) struct cni_nft nft = { 0 };
	bool found = false;

	if (cni_nft_open(&nft) < 0)
		return false;
	for (size_t i = 0; i < CNI_ARRAY_SIZE(kubelet_chains) && !found; i++)
		found = cni_nft_chain_exists(&nft, NFPROTO_IPV4, "mangle", kubelet_chains[i]) > 0 ||
			cni_nft_chain_exists(&nft, NFPROTO_IPV6, "mangle", kubelet_chains[i]) > 0;
	return found;
}

static bool has_content(const char *path)
{
	FILE *f = fopen(path, "re");
	bool has = f && fgetc(f) != EOF;

	if (f)
		(void)fclose(f);
	return has;
}

static const struct cni_ipt_writer *by_tables(void)
{
	if (!nft_has_kubelet() && (has_content("/proc/thread-self/net/ip_tables_names") ||
				   has_content("/proc/thread-self/net/ip6_tables_names")))
		return &cni_ipt_legacy;
	return &cni_ipt_nft;
}

const struct cni_ipt_writer *cni_ipt_host(void)
{
	cni_auto(free) char *iptables = find_iptables(search_path());
	const struct cni_ipt_writer *writer = NULL;

	if (!iptables)
		iptables = find_iptables("/usr/sbin:/sbin");
	if (iptables)
		writer = by_name(iptables);
	return writer ? writer : by_tables();
}

bool cni_ipt_is_usable(void)
{
	cni_auto(free) char *iptables = find_iptables(search_path());

	return iptables && cni_ipt_host()->usable();
}

int cni_ipt_probe(const struct cni_ipt_writer *writer)
{
	return writer != &cni_ipt_nft || writer->usable() ? 0 : -EPROTONOSUPPORT;
}
