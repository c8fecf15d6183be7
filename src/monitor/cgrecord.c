/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/cgrecord.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <fcntl.h>
#include <signal.h>

#define NAME	   "cgroup.json"
#define RECORD_MAX (64u << 10)

static const char *usual(const char *id, struct arena *a)
{
	return arena_printf(a, "/caisson/%s", id);
}

int cgrecord_write(const struct plan *p, const struct cgroup *cg, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(RECORD_MAX);
	auto_fd int dir = -1;
	int r;

	if (!cg || !p->linux_->cgroups_path ||
	    streq(p->linux_->cgroups_path, usual(p->caisson->id, &a)))
		return 0;
	dir = open(p->caisson->run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "'%s'", p->caisson->run_dir);
	cgroup_save(cg, &b);
	r = buf_fail(&b, "cgroup record", e);
	if (r < 0)
		return r;
	r = file_replace(dir, NAME, b.p, b.len, 0600, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "'%s/" NAME "'", p->caisson->run_dir);
	}
	return 0;
}

int cgrecord_clean(const char *run_root, const char *id, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_cgroup struct cgroup *cg = NULL;
	auto_free char *saved = NULL;
	struct cgroup_request rq = {.path = usual(id, &a), .id = id};
	const char *path = arena_printf(&a, "%s/instances/%s/" NAME, run_root ? run_root : "", id);
	int r;

	if (file_read(AT_FDCWD, path, RECORD_MAX, &saved) >= 0)
		r = cgroup_open_saved(saved, &cg, e);
	else
		r = cgroup_open(&rq, &cg, e);
	if (r == 0)
		r = cgroup_kill(cg, SIGKILL, e);
	return r < 0 ? r : cgroup_remove(cg, e);
}
