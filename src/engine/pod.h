/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod - instances that share namespaces, or one guest kernel.
 *
 * A pod is an instance itself: of the built-in image, with a process that only waits, which holds
 * the namespaces (or is the machine).  Its name, id, lock, network, ports, limits, restart policy
 * and what a kill -9 leaves of it are those of any instance; .pod of its record is its own id, and
 * .pod of a member's record is the pod's.  A pod without such a holder (--infra=false) is a record
 * that is never started, and its members share nothing.
 *
 * Members join by what their recorded request says ("container:ID"), see engine/join.h.
 * A member is recorded while its pod's directory is locked, and a pod goes under the same lock when
 * it has no member: there is no member without a pod.  Order: a member's lock, then its pod's.
 */
#ifndef ENGINE_POD_H
#define ENGINE_POD_H

#include "engine/lookup.h"

#include <stdbool.h>

struct arena;
struct err;
struct request;
struct session;

#define POD_SHARE "ipc,net,uts" /* unless another list is given */

/* Turn a request for the holder (name, network, ports, isolation, ...) into the pod: *out.
 * share: "net,pid", "none", or NULL for POD_SHARE.  bare: no holder.
 * ERR_USAGE, ERR_UNSUPPORTED, ERR_EXISTS. */
int pod_create(struct session *s, const struct request *q, const char *share, bool bare,
	       struct arena *a, struct instance *out, struct err *e);

bool pod_is(const struct instance *i);
/* ERR_NOT_FOUND also when it is another instance. */
int pod_find(struct session *s, const char *what, struct arena *a, struct lookup *out,
	     struct err *e);
/* Its members, oldest first, without itself. */
int pod_members(struct session *s, const char *id, struct arena *a, struct lookups *out,
		struct err *e);

/* "new:NAME" in .pod: make it, with what the request says about its network; *made is empty when it
 * was there.  The caller removes it when its member does not come to be. */
int pod_new(struct session *s, struct request *q, struct arena *a, struct instance *made,
	    struct err *e);
/* Of a new member: .pod becomes an id, and what is shared is said in its other modes.  ERR_USAGE:
 * the request says otherwise. */
int pod_join(struct session *s, struct request *q, struct arena *a, struct err *e);
/* Keep the pod of a new member from being removed; returns a descriptor.  ERR_NOT_FOUND. */
int pod_hold(struct session *s, const struct request *q, struct err *e);
/* Before a member starts: its pod runs. */
int pod_wake(struct session *s, const struct request *q, struct err *e);

#endif
