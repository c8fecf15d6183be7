/* SPDX-License-Identifier: Apache-2.0 */
/* cgparent - what stands behind --cgroup-parent. */
#ifndef ENGINE_CGPARENT_H
#define ENGINE_CGPARENT_H

struct arena;
struct err;

/* The cgroup in which instances are made, as a path from the root of a hierarchy: "/caisson" for
 * NULL.  A name of systemd's, "a-b.slice", is where systemd keeps it: "/a.slice/a-b.slice".
 * ERR_USAGE: "..", empty parts, controls, too long. */
int cgparent_path(const char *said, struct arena *a, const char **out, struct err *e);

#endif
