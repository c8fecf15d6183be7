/* SPDX-License-Identifier: Apache-2.0 */
/* statsjson - the answer to STATS: the numbers of the instance's cgroup as JSON. */
#ifndef GUEST_STATSJSON_H
#define GUEST_STATSJSON_H

struct buf;
struct cgroup_stats;

void statsjson_write(const struct cgroup_stats *s, struct buf *out);

#endif
