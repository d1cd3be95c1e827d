/*
 * CNI specification versions: which there are, which verb needs which, what a plugin supports.
 */
#ifndef CNI_VERSION_H
#define CNI_VERSION_H

#include "error.h"

/** The verbs of the specification, in the order it lists them. */
enum cni_verb { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION };

/** Every version of the specification that a configuration may name, oldest first. */
enum cni_version {
	CNI_V0_1_0,
	CNI_V0_2_0,
	CNI_V0_3_0,
	CNI_V0_3_1,
	CNI_V0_4_0,
	CNI_V1_0_0,
	CNI_V1_1_0,
};
#define CNI_VERSION_NEWEST CNI_V1_1_0
#define CNI_VERSIONS (CNI_VERSION_NEWEST + 1)

/** Versions whose results look alike. */
enum cni_shape {
	CNI_SHAPE_IP4_IP6, /**< 0.1.0, 0.2.0 */
	CNI_SHAPE_LISTS, /**< 0.3.0 to 0.4.0 */
	CNI_SHAPE_MODERN, /**< 1.0.0 and later */
};

/** @return the version's text, static storage */
const char *cni_version_name(enum cni_version v);

enum cni_shape cni_version_shape(enum cni_version v);

/**
 * Find a version by its exact text; "" is 0.1.0.
 * @return 0; -ENOENT
 */
int cni_version_find(const char *text, enum cni_version *ret) cni_must_check;

/**
 * Decide whether a configuration of version @p text allows @p verb to a plugin that supports
 * @p oldest and everything newer (SPEC.md section 2 and "Versions"; codes and texts as libcni's).
 *
 * @param ret  on success only
 * @return 0; negative errno, with code CNI_E_VERSION or (version is no version) CNI_E_DECODE
 */
int cni_version_allows(const char *text, enum cni_verb verb, enum cni_version oldest,
		       enum cni_version *ret, struct cni_error *err) cni_must_check;

/** @return the verb's name in CNI_COMMAND, static storage */
const char *cni_verb_name(enum cni_verb verb);

/** Find a verb by its exact text. @return 0; -ENOENT */
int cni_verb_find(const char *text, enum cni_verb *ret) cni_must_check;

#endif
