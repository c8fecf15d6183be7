/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guestfilter.h"
#include "base/arena.h"
#include "runtime/seccomp.h"
#include "spec/plan.h"

const char *guestfilter_path(const struct plan *p, struct arena *a)
{
	struct seccomp_program sp = SECCOMP_PROGRAM_INIT;
	const char *dir = p->caisson->seccomp_cache, *path = NULL;

	if (dir && seccomp_prepare(p, dir, &sp, NULL) == 0 && sp.name[0])
		path = arena_printf(a, "%s/%s", dir, sp.name);
	seccomp_done(&sp);
	return path;
}
