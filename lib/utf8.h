/*
 * UTF-8: where a character ends, and which one it is (RFC 3629).
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

/** @return the character of a sequence that cni_utf8_length found to have @p n bytes */
uint32_t cni_utf8_decode(const char *p, size_t n);

#endif
