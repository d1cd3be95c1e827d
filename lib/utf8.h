/*
 * UTF-8: where a character ends (RFC 3629).
 */
#ifndef CNI_UTF8_H
#define CNI_UTF8_H

#include "base.h"

/**
 * @param p     bytes
 * @param left  how many there are, at least 1
 * @return bytes of the well-formed sequence at @p p, 1..4; 0 if there is none
 */
size_t cni_utf8_length(const char *p, size_t left);

#endif
