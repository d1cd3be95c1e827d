/*
 * resolv.conf(5) as host-local reads it ("ipam.resolvConf"): into the result's dns. Reads text only.
 */
#ifndef CNI_RESOLV_H
#define CNI_RESOLV_H

#include "json.h"

/**
 * Read nameserver, domain, search and options lines.
 *
 * @param text  NUL-terminated; is changed
 * @return new reference to an object with the keys of "dns" that had a line; NULL without memory
 */
json_t *cni_resolv_parse(char *text) cni_must_check;

#endif
