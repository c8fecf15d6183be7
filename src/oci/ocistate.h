/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ocistate - what caisson-oci remembers of an instance between its commands.
 *
 * <root>/<id>/ holds state.json (this struct, written beside and renamed; its presence is what
 * makes the instance exist), config.json (the bundle's, as it was when the instance was made: the
 * bundle may change) and, until `start`, the socket "start" at which process 1 waits.  The
 * directory is locked (flock) while it is made or deleted.
 */
#ifndef OCI_OCISTATE_H
#define OCI_OCISTATE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct plan;

enum ocistate_status { OCISTATE_CREATED, OCISTATE_RUNNING, OCISTATE_PAUSED, OCISTATE_STOPPED };
extern const char *const ocistate_names[];

struct ocistate {
	const char *id, *bundle, *rootfs, *created, *owner;
	int64_t pid;
	uint64_t start_time; /* of pid, in clock ticks since boot: tells a reused pid */
	bool systemd_cgroup, rootless;
	bool vm;	    /* pid is the process that holds the virtual machine */
	bool rdt_made;	    /* launch.rdt_made */
	const char *cgroup; /* JSON of cgroup_save() */
};

#define OCISTATE_CONFIG "config.json"
#define OCISTATE_START	"start"

/* [A-Za-z0-9_+-][A-Za-z0-9_+.-]*, at most 1024 bytes. */
int ocistate_check_id(const char *id, struct err *e);

/* The state root, made (0711) when missing and make is set. */
int ocistate_open_root(const char *root, bool make, struct err *e);

/* Make <root>/<id> and lock it; *dir is its descriptor.  ERR_EXISTS. */
int ocistate_make(int root_fd, const char *id, int *dir, struct err *e);

int ocistate_save(int dir, const struct ocistate *s, struct err *e);

/* ERR_NOT_FOUND "container does not exist".  Strings belong to a. */
int ocistate_load(int root_fd, const char *id, int *dir, struct ocistate *s, struct arena *a,
		  struct err *e);

/* The plan as it was, from <root>/<id>/config.json. */
int ocistate_plan(int dir, struct arena *a, struct plan **p, struct err *e);

enum ocistate_status ocistate_now(int dir, const struct ocistate *s);

/* Start time of a process, 0 when it is gone or a zombie. */
uint64_t ocistate_start_time(pid_t pid);

/* Remove the directory and what is in it. */
int ocistate_remove(int root_fd, const char *id, struct err *e);

#endif
