/* SPDX-License-Identifier: Apache-2.0 */
/* proclist - what the processes of an instance are and do, read from the caller's /proc. */
#ifndef RUNTIME_PROCLIST_H
#define RUNTIME_PROCLIST_H

struct buf;
struct cgroup;
struct err;

/* Append the JSON of a struct top_list of everything in the cgroup; it stays below PROCLIST_MAX
 * bytes however many there are and whatever they call themselves: command lines are cut. */
#define PROCLIST_MAX (192u << 10)
int proclist_write(const struct cgroup *cg, struct buf *out, struct err *e);

#endif
