/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wall - what an instance may do when nobody says anything, and the switch for each part.
 *
 * One table per part, so that the policy can be read and changed in one place:
 * docs/differences.md says where it is stricter than docker's.
 */
#ifndef ENGINE_WALL_H
#define ENGINE_WALL_H

#include "base/arena.h"

struct err;
struct plan;
struct plan_caps;
struct request;

/* Capabilities after --cap-add and --cap-drop, as docker reads them ("ALL", with or without CAP_).
 * A process that is not root gets none effective, but may gain those of the bounding set by a file
 * capability or set-user-id program.  ERR_USAGE for a name that is no capability. */
int wall_caps(const struct request *q, struct arena *a, struct plan_caps *out, struct err *e);

/* --security-opt: no-new-privileges[=bool], seccomp=unconfined|default, systempaths=unconfined.
 * Fills process.no_new_privileges, caisson.seccomp_profile and the masked and read-only paths. */
int wall_paths(const struct request *q, struct arena *a, struct plan *p, struct err *e);

#endif
