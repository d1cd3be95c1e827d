/*
 * tuning: CHECK, which names all that differs from what ADD has set.
 */
#include "conf.h"
#include "tuning.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The first in the message, as the Go plugin would say it; the others in the details. */
static void tuning_differs(struct cni_error *err, const char *what, const char *of,
			   const char *configured, const char *current)
{
	if (!err->set)
		cni_fail(err, CNI_E_INTERNAL, 0,
			 "Error: Tuning configured %s of %s is %s, current value is %s", what, of,
			 configured, current);
	else
		cni_error_detail(err, "%s of %s is %s, not %s", what, of, current, configured);
}

/* Whether both have the same words; the kernel separates numbers by tabs. */
static bool tuning_same_words(const char *a, const char *b)
{
	static const char space[] = " \t\n";

	for (;;) {
		size_t n;

		a += strspn(a, space);
		b += strspn(b, space);
		n = strcspn(a, space);
		if (n != strcspn(b, space) || memcmp(a, b, n) != 0)
			return false;
		if (n == 0)
			return true;
		a += n;
		b += n;
	}
}

static int tuning_check_sysctl(struct tuning *t, struct cni_error *err)
{
	int r = cni_sysctl_read(t->netns, t->conf.sysctl, t->conf.n_sysctl, err);

	for (size_t i = 0; r == 0 && i < t->conf.n_sysctl; i++) {
		const struct cni_sysctl *s = &t->conf.sysctl[i];
		char path[CNI_SYSCTL_PATH_LEN + 16];

		snprintf(path, sizeof(path), "/proc/sys/net/%s", s->path);
		if (s->result < 0 && !err->set)
			cni_fail(err, CNI_E_INTERNAL, -s->result, "open %s", path);
		else if (s->result < 0)
			cni_error_detail(err, "%s: %s", path, cni_strerror(-s->result));
		else if (s->was && !tuning_same_words(s->was, s->value))
			tuning_differs(err, "value", path, s->value, s->was);
	}
	return r;
}

static const char *tuning_attr_text(const struct cni_link_attrs *a, unsigned int attr,
				    char buf[static CNI_MAC_STRLEN])
{
	if (attr == CNI_LINK_MAC)
		return cni_mac_format(a->mac, buf);
	if (attr == CNI_LINK_PROMISC || attr == CNI_LINK_ALLMULTI)
		return (attr == CNI_LINK_PROMISC ? a->promisc : a->allmulti) ? "true" : "false";
	snprintf(buf, CNI_MAC_STRLEN, "%u", attr == CNI_LINK_MTU ? a->mtu : a->txqlen);
	return buf;
}

static void tuning_check_link(struct tuning *t, struct cni_error *err)
{
	static const struct {
		unsigned int attr;
		const char *name;
	} attrs[] = { { CNI_LINK_MAC, "Ethernet" },
		      { CNI_LINK_PROMISC, "promiscuous mode" },
		      { CNI_LINK_MTU, "MTU" },
		      { CNI_LINK_ALLMULTI, "all-multicast mode" },
		      { CNI_LINK_TXQLEN, "Transmit Queue Length" } };
	const struct cni_link_attrs *want = &t->conf.want;
	struct cni_link_attrs is = cni_link_attrs_of(&t->link, want->set);
	unsigned int differ = cni_link_attrs_differ(&t->link, want);
	char a[CNI_MAC_STRLEN], b[CNI_MAC_STRLEN];

	for (size_t i = 0; i < CNI_ARRAY_SIZE(attrs); i++)
		if (differ & attrs[i].attr)
			tuning_differs(err, attrs[i].name, t->link.name,
				       tuning_attr_text(want, attrs[i].attr, a),
				       tuning_attr_text(&is, attrs[i].attr, b));
}

int tuning_check(const struct cni_args *args, struct cni_error *err)
{
	cni_auto(tuning) struct tuning t = TUNING_INIT;
	cni_auto(result) struct cni_result prev = { 0 };
	int r;

	r = tuning_read(args, &t.conf, err);
	if (r == 0)
		r = cni_conf_chained(args, TUNING_CHAINED, &prev, err);
	if (r < 0)
		return r;
	r = tuning_open(args, &t, true, err);
	if (r == -ENODEV)
		return cni_fail(err, CNI_E_INTERNAL, 0, "Cannot find container link %s",
				args->ifname);
	if (r < 0)
		return cni_nl_fail(&t.nl, err, r, "failed to get \"%s\"", args->ifname);
	r = tuning_check_sysctl(&t, err);
	if (r < 0)
		return r;
	tuning_check_link(&t, err);
	return err->set ? -EIO : 0;
}
