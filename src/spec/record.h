/* SPDX-License-Identifier: Apache-2.0 */
/* record - what is known about an instance: as it was created, and what has become of it.
 * On disk: store/instance.h. */
#ifndef SPEC_RECORD_H
#define SPEC_RECORD_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>

#define INSTANCE_ID	  64 /* hex digits */
#define INSTANCE_SHORT_ID 12
#define INSTANCE_NAME_MAX 128

struct instance_mount {
	const char *type;    /* "bind", "volume" or "tmpfs" */
	const char *name;    /* of the volume */
	const char *source;  /* path on the host */
	const char *subpath; /* of the volume, what is mounted; NULL: all */
	const char *destination;
	struct strs options; /* mount options, "ro" among them */
	const char *mode;    /* as typed behind -v, for inspect; NULL: nothing */
	bool anonymous;	     /* a volume that goes with the instance */
};
struct instance_mounts {
	struct instance_mount *v;
	size_t n;
};

struct instance {
	const char *id, *name;
	const char *image;    /* as typed at create */
	const char *image_id; /* "sha256:..." */
	int isolation;	      /* enum plan_isolation */
	int64_t created_ns;   /* since the epoch */
	struct strs command;  /* entry point and arguments as they will run */
	struct strs labels;   /* KEY=VALUE */
	struct strs ports;    /* as published: "0.0.0.0:8080:80/tcp" */
	struct instance_mounts mounts;
	bool auto_remove;
	const char *pod;     /* id of the pod it is in, its own when it is the pod; or NULL */
	const char *request; /* JSON of the engine's struct request */
};

enum instance_status {
	INSTANCE_CREATED,
	INSTANCE_RUNNING,
	INSTANCE_PAUSED,
	INSTANCE_RESTARTING, /* it has ended, and its monitor waits to start it again */
	INSTANCE_EXITED,
	INSTANCE_STATUS_MAX_
};
struct instance_state {
	int status;  /* enum instance_status */
	int64_t pid; /* of the process or of the VM's QEMU; 0 when not running */
	int64_t started_ns, finished_ns; /* since the epoch; 0: never */
	int64_t exit_code;
	bool oom;
	bool stopped;	 /* somebody asked for its end */
	bool restarting; /* it is to be started again; maybe nobody is left to do it */
	int64_t restarts, restart_wait_ms;
	bool unseen;	     /* nobody saw the end: exit_code is 255 and means nothing */
	int health;	     /* enum health_status; -1: it is not asked */
	const char *error;   /* why it could not start, or NULL */
	const char *address; /* on its network, or NULL */
};

#endif
