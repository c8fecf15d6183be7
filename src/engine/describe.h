/* SPDX-License-Identifier: Apache-2.0 */
/* describe - an instance as a JSON document, in docker's shape, for inspect, ps and the API. */
#ifndef ENGINE_DESCRIBE_H
#define ENGINE_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct lookup;
struct session;

/* What `inspect` shows: docker's container object; ours are "Isolation" and "Monitor". */
int describe_inspect(struct session *s, const struct lookup *l, struct buf *out, struct err *e);

/* One row of `ps`: flat strings. */
enum describe_flags {
	DESCRIBE_FULL = 1, /* do not cut ids and commands */
	DESCRIBE_MORE =
	    2, /* also Mounts, LocalVolumes and Networks, for which the request is read */
};
void describe_row(const struct lookup *l, int64_t now_ns, unsigned int flags, struct buf *out);

#endif
