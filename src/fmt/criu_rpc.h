/* SPDX-License-Identifier: Apache-2.0 */
/*
 * criu_rpc - the messages of `criu swrk`: requests written, responses read.
 *
 * They are protocol buffers (proto2), one message in one packet of a SOCK_SEQPACKET socket.  Only
 * the fields that a container runtime needs are here.  A response is read with every length checked
 * against the packet; fields that are not known are passed over, as the format wants it.
 * Source: criu's images/rpc.proto (3.17); Protocol Buffers, "Encoding".
 */
#ifndef FMT_CRIU_RPC_H
#define FMT_CRIU_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct strs;

#define CRIU_RPC_MAX (1u << 20) /* one packet */

enum criu_rpc_type {
	CRIU_RPC_DUMP = 1,
	CRIU_RPC_RESTORE = 2,
	CRIU_RPC_CHECK = 3,
	CRIU_RPC_NOTIFY = 6,
	CRIU_RPC_VERSION = 10,
	CRIU_RPC_PRE_DUMP = 13, /* one, and then the end */
};

enum criu_rpc_cgroups {
	CRIU_RPC_CGROUPS_IGNORE = 0,
	CRIU_RPC_CGROUPS_SOFT = 3,
	CRIU_RPC_CGROUPS_FULL = 4,
	CRIU_RPC_CGROUPS_STRICT = 5,
};

/* Something named in the images and what it is here: a descriptor of criu's or a path. */
struct criu_rpc_pair {
	const char *key, *path; /* inherit: key; cgroup roots: controllers or "", path */
	int fd;
};

struct criu_rpc_pairs {
	struct criu_rpc_pair *v;
	size_t n;
};

/* What is false, NULL or empty is not sent. */
struct criu_rpc_opts {
	int images_fd, work_fd; /* in criu's table; -1: none */
	int pid, log_level, page_server_port;
	const char *log_file; /* in the work directory */
	const char *root, *parent, *freeze_cgroup, *page_server, *lsm_profile, *lsm_mount_context;
	bool leave_running, ext_unix_sk, tcp_established, evasive_devices, shell_job, file_locks,
	    notify, track_mem, auto_dedup, link_remap, sibling, skip_in_flight, lazy_pages,
	    orphan_pts;
	bool manage_cgroups; /* then cgroups says how */
	enum criu_rpc_cgroups cgroups;
	uint32_t empty_ns; /* CLONE_NEWNET */
	const struct strs *external;
	struct criu_rpc_pairs inherit, cgroup_roots;
};

/* opts may be NULL.  Appended to b, which starts empty. */
void criu_rpc_request(struct buf *b, enum criu_rpc_type type, const struct criu_rpc_opts *opts);
/* The answer to a notification. */
void criu_rpc_notified(struct buf *b, bool success);

struct criu_rpc_response {
	uint64_t type; /* enum criu_rpc_type, or what else came */
	bool success;
	int pid;	   /* of a restore or a notification; 0: none was named */
	int error;	   /* errno, 0 none */
	char script[64];   /* notification: "post-restore", ...; cut when longer */
	char message[256]; /* why it failed, "" when it does not say; cut when longer */
};

/* Errors: ERR_CORRUPT.  Strings have no control characters. */
int criu_rpc_parse(const void *data, size_t len, struct criu_rpc_response *out, struct err *e);

#endif
