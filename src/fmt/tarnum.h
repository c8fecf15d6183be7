/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tarnum - numbers as tar archives write them.
 * Source: POSIX.1-2024, pax; GNU tar manual, "Basic Tar Format" (base-256).
 */
#ifndef FMT_TARNUM_H
#define FMT_TARNUM_H

#include <stddef.h>
#include <stdint.h>

/* A field of a header: octal digits between spaces and NULs, or two's complement behind a first
 * bit that is set.  All blank is 0.  -EBADMSG when malformed, -ERANGE beyond 64 bits. */
int tarnum_field(const uint8_t *p, size_t len, int64_t *out);

/* All of a pax value: decimal digits, a '-' before them allowed. */
int tarnum_decimal(const char *p, size_t len, int64_t *out);

/* A pax time: decimal, with a fraction (digits beyond the ninth are dropped).  nsec is never
 * negative: -0.5 is second -1 and 500000000. */
int tarnum_time(const char *p, size_t len, int64_t *sec, uint32_t *nsec);

#endif
