/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fuseroot.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "monitor/server.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/overlay.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/wait.h>

/* Did it end because the last of the instance's mounts went? */
static bool in_order(const struct fuseroot *f)
{
	siginfo_t si = {.si_pid = 0};

	return waitid(P_PID, (id_t)f->program.pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
	       si.si_pid && si.si_code == CLD_EXITED && si.si_status == 0;
}

static void ended_ready(struct watch *w, uint32_t events)
{
	struct fuseroot *f = loop_owner(w, struct fuseroot, ended);
	struct server *s = f->server;

	loop_drop(w);
	if (!in_order(f) && s->failure.kind == ERR_NONE)
		fuseoverlay_gone(&f->program, &s->failure);
	s->ops->kill(s, NULL);
}

/* The image's files lie there with the ids that they have inside. */
static const char *shown(const struct plan_idmaps *maps, struct arena *a)
{
	const char *text = NULL;

	for (size_t i = 0; i < maps->n; i++)
		text = arena_printf(a, "%s%s%u:%u:%u", text ? text : "", text ? ":" : "",
				    maps->v[i].container_id, maps->v[i].host_id, maps->v[i].size);
	return text;
}

int fuseroot_make(struct fuseroot *f, struct server *s, const struct plan *p, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	const struct plan_rootfs *r = &p->caisson->rootfs;
	struct overlay_spec dirs = {.lower = &r->lower, .upper = r->upper, .work = r->work};
	struct fuseoverlay_opts o = {.program = r->fuse, .mount_ns = r->layer_ns, .dirs = &dirs};
	int fd, ret;

	if (!r->fuse)
		return 0;
	f->server = s;
	o.uids = shown(&p->linux_->uid_mappings, &a);
	o.gids = shown(&p->linux_->gid_mappings, &a);
	ret = fuseoverlay_start(&o, &f->program, e);
	if (ret < 0)
		return ret;
	fd = fcntl(f->program.pidfd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && loop_watch(&s->loop, &f->ended, fd, EPOLLIN, ended_ready) == 0)
		return 0;
	fd_close(fd);
	fuseroot_end(f);
	return err_set(e, ERR_SYSTEM, FUSEOVERLAY_NAME " cannot be watched");
}

void fuseroot_given(struct fuseroot *f)
{
	fd_close(f->program.root);
	f->program.root = -1;
}

void fuseroot_end(struct fuseroot *f)
{
	loop_drop(&f->ended);
	fuseoverlay_stop(&f->program);
}
