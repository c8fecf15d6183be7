/* SPDX-License-Identifier: Apache-2.0 */
/*
 * join - what stands behind --network, --pid, --ipc and the like: namespaces of its own, the
 * host's, or another instance's.
 *
 * The other instance is named by its id in the record (join_fix), so that a name given to somebody
 * else later does not lead there.  Its namespaces are opened when the joining one starts and handed
 * to the monitor as descriptors: a pid that is used again in between cannot be met.
 */
#ifndef ENGINE_JOIN_H
#define ENGINE_JOIN_H

#include <stdbool.h>

struct arena;
struct err;
struct plan_input;
struct request;
struct session;

/* Words only.  ERR_USAGE, or ERR_UNSUPPORTED for a VM. */
int join_check(const struct request *q, struct err *e);

/* "container:NAME" to "container:ID".  ERR_NOT_FOUND; ERR_UNSUPPORTED a VM, or one whose IPC is not
 * shareable. */
int join_fix(struct session *s, struct request *q, struct arena *a, struct err *e);

/* The instance that "container:INSTANCE" names; NULL: another mode. */
const char *join_other(const char *mode);

struct join {
	int pid_ns, ipc_ns, shm, net_ns, uts_ns; /* descriptors, or -1 */
	/* Of the instance whose network is joined: the directory of its files for /etc, in the
	 * arena, and its address there; or NULL. */
	const char *etc_dir, *address;
	const char *hostname; /* of the instance whose network or UTS namespace it is, or NULL */
};
#define JOIN_INIT ((struct join){-1, -1, -1, -1, -1, NULL, NULL, NULL})

/* Opens what q asks for and names it in *in.  ERR_CONFLICT: the other one does not run. */
int join_open(struct session *s, const struct request *q, struct arena *a, struct join *out,
	      struct plan_input *in, struct err *e);
void join_close(struct join *j);

/* The network namespace of a container, whose state says that it runs.  ERR_CONFLICT it ends. */
struct lookup;
int join_netns(const struct lookup *l, struct err *e);

#endif
