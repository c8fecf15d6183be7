/* SPDX-License-Identifier: Apache-2.0 */
/*
 * subid - /etc/subuid and /etc/subgid: which ids an account may use beside its own (subuid(5)).
 *
 * A line is "NAME:FIRST:COUNT", NAME an account or a decimal uid.  Malformed lines, and ranges that
 * pass the last id, are skipped, never cut or wrapped.
 */
#ifndef FMT_SUBID_H
#define FMT_SUBID_H

#include <stddef.h>
#include <stdint.h>

struct subid {
	uint32_t first, count;
};

/* The ranges of the account called name (NULL: no name) or uid, in the order of the file; at most
 * max of them into out.  Returns how many were stored. */
size_t subid_ranges(const char *text, const char *name, uint32_t uid, struct subid *out,
		    size_t max);

#endif
