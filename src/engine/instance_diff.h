/* SPDX-License-Identifier: Apache-2.0 */
/* instance_diff - what an instance did to its image's files. */
#ifndef ENGINE_INSTANCE_DIFF_H
#define ENGINE_INSTANCE_DIFF_H

struct arena;
struct err;
struct session;
struct strs;

/* "A /path", "C /path", "D /path": added, changed, deleted, sorted by path; the paths are the
 * workload's bytes.  Errors: ERR_UNSUPPORTED a VM that
 * does not run. */
int instance_diff_list(struct session *s, const char *instance, struct arena *a, struct strs *out,
		       struct err *e);

#endif
