/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wall - what an instance may do when nobody says anything, and the switch for each part.
 *
 * One table per part, so that the policy can be read and changed in one place: docs/wall.md.
 */
#ifndef ENGINE_WALL_H
#define ENGINE_WALL_H

#include "base/arena.h"

#include <stdbool.h>

struct err;
struct plan;
struct jbind_map;
struct plan_caps;
struct plan_rlimits;
struct request;

/* Capabilities after --cap-add and --cap-drop, as docker reads them ("ALL", with or without CAP_).
 * A process that is not root gets none effective, but may gain those of the bounding set by a file
 * capability or set-user-id program.  ERR_USAGE for a name that is no capability. */
int wall_caps(const struct request *q, struct arena *a, struct plan_caps *out, struct err *e);

/* --security-opt and --privileged: seccomp, AppArmor, no_new_privs, the masked and read-only paths,
 * whether /sys and the cgroups are writable.  p has its process with capabilities, its linux and
 * caisson parts and its mounts.  ERR_USAGE, ERR_UNSUPPORTED what the kernel has not. */
int wall_paths(const struct request *q, struct arena *a, struct plan *p, struct err *e);

/* Behind what --ulimit said: no core dumps, bounded descriptors.  host: by this kernel, so within
 * what the caller may give. */
void wall_rlimits(bool host, struct arena *a, struct plan_rlimits *l);

/* Behind what --sysctl said, for an instance with a network namespace of its own. */
void wall_sysctls(struct arena *a, struct jbind_map *m);

#endif
