/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idpool - ranges of user and group ids, one for each instance that wants its own (--userns=auto).
 *
 * root/ids/ID holds "FIRST COUNT\n" of the instance ID; no two overlap.  A range is taken before
 *the first start and freed when the instance is removed; one whose instance is gone is free,
 *whoever was killed between.  The pool: root's engine   the ranges of "caisson" in /etc/subuid,
 *which must be the same in /etc/subgid; without any 0x70000000 to 0x7ffeffff, which systemd's table
 *of ids leaves unused a user's engine its user namespace's own ids but the user's (0)
 */
#ifndef STORE_IDPOOL_H
#define STORE_IDPOOL_H

#include <stdint.h>

struct err;
struct store;

struct idpool_range {
	uint32_t first, count;
};

/* The instance's range of count ids; kept from an earlier start when that was as long.
 * Errors: ERR_LIMIT no room is left; ERR_USAGE subuid and subgid differ. */
int idpool_take(const struct store *s, const char *id, uint32_t count, struct idpool_range *out,
		struct err *e);
/* Absent is fine. */
void idpool_free(const struct store *s, const char *id);

#endif
