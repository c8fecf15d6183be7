/* SPDX-License-Identifier: Apache-2.0 */
/* pod_ctl - what is done to a pod as a whole, and what is told about it. */
#ifndef ENGINE_POD_CTL_H
#define ENGINE_POD_CTL_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct control_stop;
struct err;
struct lookup;
struct lookups;
struct session;

enum pod_ctl_verb {
	POD_CTL_START, /* what runs already stays */
	POD_CTL_STOP,
	POD_CTL_RESTART,
	POD_CTL_KILL,
	POD_CTL_PAUSE,
	POD_CTL_UNPAUSE,
};

/* Do it to the pod and all its members; how: of STOP and RESTART, and the signal of KILL.
 * Everybody is tried; what the first one said that failed is the error. */
int pod_ctl_all(struct session *s, const struct lookup *pod, enum pod_ctl_verb verb,
		const struct control_stop *how, struct err *e);

/* With its members and their anonymous volumes.  ERR_CONFLICT: one runs, and no force. */
int pod_ctl_remove(struct session *s, const struct lookup *pod, bool force,
		   const struct control_stop *how, struct err *e);
/* All of which nothing runs; their ids. */
int pod_ctl_prune(struct session *s, struct arena *a, struct strs *out, struct err *e);

/* "Created", "Running", "Degraded", "Paused", "Exited". */
const char *pod_ctl_status(const struct lookup *pod, const struct lookups *members);

/* Those that fit the filters ("id=", "name=", "label=K[=V]", "status=", "network=", "ctr-names=",
 * "ctr-ids=", "ctr-number="), newest first. */
int pod_ctl_list(struct session *s, const struct strs *filters, struct arena *a,
		 struct lookups *out, struct err *e);

/* One object of podman's shape: for ps (full: whole ids), for inspect. */
int pod_ctl_row(struct session *s, const struct lookup *pod, bool full, int64_t now_ns,
		struct buf *out, struct err *e);
int pod_ctl_inspect(struct session *s, const struct lookup *pod, struct buf *out, struct err *e);

#endif
