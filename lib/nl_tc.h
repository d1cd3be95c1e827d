/*
 * Traffic control: limit what a link sends, and lead what it receives to another one.
 *
 * Functions return 0 or the kernel's negative errno; report it with cni_nl_fail.
 */
#ifndef CNI_NL_TC_H
#define CNI_NL_TC_H

#include "nl.h"
#include "tbf.h"

/**
 * Make a token bucket filter what the link sends by, in place of an earlier one.
 * @return 0; -EEXIST if it sends by something that somebody has chosen; other negative errno
 */
int cni_tc_limit(struct cni_nl *nl, int ifindex, const struct cni_tbf *tbf) cni_must_check;

/** @return 0, also if there is no such filter; another way of sending stays; negative errno */
int cni_tc_unlimit(struct cni_nl *nl, int ifindex) cni_must_check;

/** @return 0 and @p ret; -ENOENT if it sends by something else; other negative errno */
int cni_tc_get_limit(struct cni_nl *nl, int ifindex, struct cni_tbf *ret) cni_must_check;

/**
 * Lead all that a link receives out by another one, in place of what was said before.
 * @param to  index of the other one
 * @return 0; negative errno: then nothing is led anywhere
 */
int cni_tc_redirect(struct cni_nl *nl, int ifindex, int to) cni_must_check;

/** Lead nothing anywhere: whatever was said of what the link receives is forgotten. @return 0, also if there is nothing */
int cni_tc_receive(struct cni_nl *nl, int ifindex) cni_must_check;

/** @return 0 and in @p to where all that a link receives is led; -ENOENT if it is not; other negative errno */
int cni_tc_get_redirect(struct cni_nl *nl, int ifindex, int *to) cni_must_check;

#endif
