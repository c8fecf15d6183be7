/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container as the monitor's workload: processes made by runtime/launch.h, their pipes or
 * terminal, their pidfds.
 *
 * An end is handled in one go: the pidfd says so, the process is reaped, what its pipes still hold
 * is read, then server_exited().  Process 1 is the last of its pid namespace to be reaped (the
 * kernel sees to that), so nobody writes any more when the main process has ended.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "monitor/cgrecord.h"
#include "monitor/client.h"
#include "monitor/fuseroot.h"
#include "monitor/gauge.h"
#include "monitor/server.h"
#include "runtime/cgroup.h"
#include "runtime/launch.h"
#include "runtime/proclist.h"
#include "spec/metrics.h"
#include "spec/plan.h"
#include "spec/wire.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK	     (32u << 10)
#define PTY_QUIET_MS 50

struct box {
	struct proc *proc;
	struct launch launch;
	bool host_net;	      /* of the main process: it has no network of its own */
	struct watch oom;     /* of the main process: the cgroup's */
	struct fuseroot root; /* of the main process */
	uint64_t oom_kills;
	struct watch in, out, err, ended; /* with a terminal only in and out, both its master */
};

static struct box *box_of(struct proc *p)
{
	return p->work;
}

static struct box *main_box(struct server *s)
{
	return box_of(server_main(s));
}

/* ---- output ---- */

/* False at its end.
 *
 * Not by splice(): a log has a frame around each line and a client one around each piece.  Where
 * neither is (--log-driver none, nobody attached) it was tried, into the null device: 300 MB of
 * short lines took 0.54 s of the monitor's CPU, with read() 0.36 to 0.57 s in four runs; what costs
 * is waking up.  With json-file they take 1.7 to 2.0 s, so that reading them is a quarter of it. */
static bool pump(struct box *b, struct watch *w, enum logfile_stream stream)
{
	char data[CHUNK];
	ssize_t n = read(w->fd, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	/* A terminal says EIO when its last user has closed it. */
	if (n <= 0)
		return false;
	server_output(b->proc, stream, data, (size_t)n);
	return true;
}

static void out_ready(struct watch *w, uint32_t events)
{
	struct box *b = loop_owner(w, struct box, out);

	if (!pump(b, w, LOGFILE_STDOUT))
		loop_drop(w);
	if (b->proc->congested)
		loop_want(&b->out, 0), loop_want(&b->err, 0);
}

static void err_ready(struct watch *w, uint32_t events)
{
	struct box *b = loop_owner(w, struct box, err);

	if (!pump(b, w, LOGFILE_STDERR))
		loop_drop(w);
	if (b->proc->congested)
		loop_want(&b->out, 0), loop_want(&b->err, 0);
}

static void flow(struct proc *p)
{
	struct box *b = box_of(p);

	loop_want(&b->out, EPOLLIN);
	loop_want(&b->err, EPOLLIN);
}

/* All that is there.  A pipe shows at once what was written to it.  A terminal's bytes travel by a
 * work queue: what was written may come after the death of the writer, but before EIO. */
static void drain(struct box *b, struct watch *w, enum logfile_stream stream, bool tty)
{
	struct pollfd pfd = {.fd = w->fd, .events = POLLIN};

	if (w->fd < 0)
		return;
	while (poll(&pfd, 1, tty ? PTY_QUIET_MS : 0) > 0)
		if (!pump(b, w, stream))
			break;
	loop_drop(w);
}

/* ---- input ---- */

static void in_ready(struct watch *w, uint32_t events);

static void input(struct proc *p)
{
	struct box *b = box_of(p);
	size_t had = p->in.len;
	long n = b->in.fd < 0 ? -EPIPE : outq_flush(&p->in, b->in.fd);

	if (n < 0) { /* nobody will read this */
		outq_done(&p->in);
		loop_drop(&b->in);
		server_took(p, had);
		return;
	}
	if (n)
		server_took(p, (size_t)n);
	/* The end of a terminal's input is a character that its user types; nothing to close. */
	if (!p->in.len && p->in_eof && !p->tty)
		loop_drop(&b->in);
	else
		loop_want(&b->in, p->in.len ? EPOLLOUT : 0);
}

static void in_ready(struct watch *w, uint32_t events)
{
	input(loop_owner(w, struct box, in)->proc);
}

/* ---- ends ---- */

static void ended_ready(struct watch *w, uint32_t events)
{
	struct box *b = loop_owner(w, struct box, ended);
	struct proc *p = b->proc;
	int status = 0;
	pid_t r;

	do
		r = waitpid(b->launch.pid, &status, WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return;
	loop_drop(w);
	loop_drop(&b->in);
	drain(b, &b->out, LOGFILE_STDOUT, p->tty);
	drain(b, &b->err, LOGFILE_STDERR, false);
	b->launch.pid = 0;
	server_exited(p, status);
}

/* ---- making ---- */

struct pipes {
	int child[3], ours[3];
};
#define PIPES_INIT ((struct pipes){{-1, -1, -1}, {-1, -1, -1}})

static void pipes_close(struct pipes *p)
{
	for (int i = 0; i < 3; i++) {
		fd_close(p->child[i]);
		fd_close(p->ours[i]);
	}
}

static int pipes_make(struct pipes *p, bool input_too, struct err *e)
{
	for (int i = input_too ? 0 : 1; i < 3; i++) {
		int fd[2];

		if (pipe2(fd, O_CLOEXEC) < 0)
			return err_sys(e, "pipe");
		p->child[i] = fd[i ? 1 : 0];
		p->ours[i] = fd[i ? 0 : 1];
	}
	return 0;
}

static int watch_one(struct box *b, struct watch *w, int *fd, uint32_t events,
		     void (*ready)(struct watch *, uint32_t))
{
	return *fd < 0 ? 0 : loop_watch(&b->proc->server->loop, w, take_fd(fd), events, ready);
}

static int watch_stdio(struct box *b, struct pipes *pipes, struct err *e)
{
	int r;

	if (b->proc->tty) {
		int in = fcntl(b->launch.console, F_DUPFD_CLOEXEC, 3), out = in;

		if (in < 0)
			return err_sys(e, "terminal");
		r = watch_one(b, &b->in, &in, 0, in_ready);
		out = b->launch.console;
		b->launch.console = -1;
		r = r < 0 ? r : watch_one(b, &b->out, &out, EPOLLIN, out_ready);
	} else {
		r = watch_one(b, &b->in, &pipes->ours[0], 0, in_ready);
		r = r < 0 ? r : watch_one(b, &b->out, &pipes->ours[1], EPOLLIN, out_ready);
		r = r < 0 ? r : watch_one(b, &b->err, &pipes->ours[2], EPOLLIN, err_ready);
	}
	return r < 0 ? err_set(e, ERR_SYSTEM, "stdio cannot be watched") : 0;
}

static struct box *box_new(struct proc *p)
{
	struct box *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	*b = (struct box){.proc = p,
			  .launch = LAUNCH_INIT,
			  .in = WATCH_INIT,
			  .out = WATCH_INIT,
			  .err = WATCH_INIT,
			  .ended = WATCH_INIT,
			  .oom = WATCH_INIT,
			  .root = FUSEROOT_INIT};
	p->work = b;
	return b;
}

static void options(struct launch_opts *o, const struct plan *p, const struct pipes *pipes)
{
	*o = LAUNCH_OPTS_INIT;
	for (int i = 0; i < 3; i++)
		o->stdio[i] = pipes->child[i];
	o->bundle = p->caisson->state_dir;
	o->id = p->caisson->id;
	o->seccomp_cache = p->caisson->seccomp_cache;
	/* Where there is no cgroup nobody else would find it. */
	o->flags = LAUNCH_ENDS_WITH_CALLER;
}

static int watch_end(struct box *b, struct err *e)
{
	int r =
	    loop_watch(&b->proc->server->loop, &b->ended, b->launch.pidfd, EPOLLIN, ended_ready);

	b->launch.pidfd = -1; /* the watch closes it */
	return r < 0 ? err_set(e, ERR_SYSTEM, "process cannot be watched") : 0;
}

static void end(struct server *s);

/* A mount namespace's bind mount is not copied into new mount namespaces (the kernel's defence
 * against reference loops), so the child could not open it by its path. */
static int open_layer_ns(struct plan *p, struct arena *a, int *out, struct err *e)
{
	struct plan_rootfs *r = &p->caisson->rootfs;
	int fd;

	if (!r->layer_ns)
		return 0;
	fd = open(r->layer_ns, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "mount namespace of the layers '%s'", r->layer_ns);
	r->layer_ns = arena_printf(a, "/proc/self/fd/%d", fd);
	*out = fd;
	return 0;
}

static int create(struct server *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct pipes pipes = PIPES_INIT;
	struct box *b = box_new(server_main(s));
	struct launch_opts o;
	struct plan *p;
	auto_fd int layers = -1;
	int r = server_plan(s, &a, &p, e);

	if (r == 0)
		r = open_layer_ns(p, &a, &layers, e);
	if (r == 0 && !p->process->terminal)
		r = pipes_make(&pipes, p->caisson->open_stdin, e);
	if (r == 0)
		r = fuseroot_make(&b->root, s, p, e);
	if (r == 0) {
		options(&o, p, &pipes);
		o.root = b->root.program.root;
		b->host_net = !plan_namespace_path(p, "network");
		r = launch_create(p, &o, &b->launch, e);
		fuseroot_given(&b->root);
	}
	if (r < 0)
		fuseroot_end(&b->root);
	if (r == 0) {
		r = watch_stdio(b, &pipes, e);
		if (r == 0)
			r = cgrecord_write(p, b->launch.cgroup, e);
		if (r < 0)
			end(s);
	}
	pipes_close(&pipes);
	return r;
}

static void reap_failed(struct box *b)
{
	int status;

	if (b->launch.pid > 0) {
		kill(b->launch.pid, SIGKILL);
		while (waitpid(b->launch.pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	b->launch.pid = 0;
}

static void oom_ready(struct watch *w, uint32_t events)
{
	struct box *b = loop_owner(w, struct box, oom);
	char drop[4096];
	uint64_t n = 0;

	ssize_t got = read(w->fd, drop, sizeof(drop));

	/* It also wakes when the cgroup goes away. */
	if (got <= 0 || cgroup_oom_kills(b->launch.cgroup, &n, NULL) < 0) {
		loop_drop(w);
		return;
	}
	/* v2 wakes at every change of memory.events, so what counts is the count; v1 (an eventfd,
	 * eight bytes) wakes for this alone, but before the killing is counted. */
	if (n > b->oom_kills || got == sizeof(uint64_t))
		server_oom(b->proc->server);
	b->oom_kills = n;
}

/* Without it the end of the main process still says whether there was one. */
static void watch_oom(struct box *b)
{
	int fd = b->launch.cgroup ? cgroup_oom_fd(b->launch.cgroup, NULL) : -1;

	if (fd >= 0 && loop_watch(&b->proc->server->loop, &b->oom, fd, EPOLLIN, oom_ready) < 0)
		fd_close(fd);
}

static void start(struct server *s)
{
	struct box *b = main_box(s);
	struct err e = ERR_INIT;
	int r = launch_start(&b->launch, &e);

	if (r == 0)
		r = watch_end(b, &e);
	if (r < 0) {
		reap_failed(b);
		server_failed(b->proc, &e);
		return;
	}
	watch_oom(b);
	server_started(b->proc, b->launch.pid);
}

static int exec(struct server *s, struct proc *p, const struct plan_process *process, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct pipes pipes = PIPES_INIT;
	struct plan_process own = *process;
	struct box *b = box_new(p);
	struct launch_opts o;
	struct plan *plan;
	int r = server_plan(s, &a, &plan, e);

	/* As the main process has it; not what keeps the monitor (standing.h). */
	if (r == 0 && !own.oom_score_adj.set)
		own.oom_score_adj =
		    plan->process->oom_score_adj.set ? plan->process->oom_score_adj : s->oom_score;

	if (r == 0 && !process->terminal)
		r = pipes_make(&pipes, p->wants_input, e);
	if (r == 0) {
		options(&o, plan, &pipes);
		r = launch_exec(plan, main_box(s)->launch.pid, &own, &o, &b->launch, e);
	}
	if (r == 0) {
		r = watch_stdio(b, &pipes, e);
		if (r == 0)
			r = watch_end(b, e);
		if (r < 0)
			reap_failed(b);
	}
	pipes_close(&pipes);
	if (r == 0)
		server_started(p, b->launch.pid);
	return r;
}

/* ---- control ---- */

static int send_signal(struct server *s, struct proc *p, int sig, struct err *e)
{
	struct box *b = box_of(p);

	if (b->ended.fd < 0)
		return 0;
	if (syscall(SYS_pidfd_send_signal, b->ended.fd, sig, NULL, 0) < 0 && errno != ESRCH)
		return err_sys(e, "signal %d", sig);
	return 0;
}

static void resize(struct server *s, struct proc *p, unsigned int rows, unsigned int columns)
{
	struct box *b = box_of(p);
	struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

	if (b->in.fd >= 0)
		ioctl(b->in.fd, TIOCSWINSZ, &w);
}

static int kill_all(struct server *s, struct err *e)
{
	struct box *b = main_box(s);
	int r = b->launch.cgroup ? cgroup_kill(b->launch.cgroup, SIGKILL, e) : 0;

	/* Process 1 of a pid namespace takes everybody with it, cgroup or not. */
	return send_signal(s, b->proc, SIGKILL, e) < 0 ? -EIO : r;
}

static int freeze(struct server *s, bool frozen, struct err *e)
{
	struct box *b = main_box(s);

	if (!b->launch.cgroup)
		return err_set(e, ERR_UNSUPPORTED, "pause needs a cgroup");
	return cgroup_freeze(b->launch.cgroup, frozen, e);
}

static int stats(struct server *s, const struct server_question *q, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct box *b = main_box(s);
	struct metrics st;
	int r = gauge_cgroup(b->launch.cgroup, &st, e);

	if (r < 0)
		return r;
	/* Not of the host's network, which is not the instance's doing. */
	if (!b->host_net)
		gauge_process_net(b->launch.pid, &st);
	jbind_write(&metrics_table, &st, &out);
	client_answer(s, &q->who, out.p, out.len);
	return 0;
}

static int top(struct server *s, const struct server_question *q, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(WIRE_PAYLOAD_MAX);
	struct box *b = main_box(s);
	int r;

	if (!b->launch.cgroup)
		return err_set(e, ERR_UNSUPPORTED, "a list of processes needs a cgroup");
	r = proclist_write(b->launch.cgroup, &out, e);
	if (r == 0)
		r = buf_fail(&out, "list of processes", e);
	if (r == 0)
		client_answer(s, &q->who, out.p, out.len);
	return r;
}

static int update(struct server *s, const struct server_question *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct plan_resources res = {0};
	struct box *b = main_box(s);
	int r = jbind_parse(&plan_resources_table, q->json, q->len, &res, &a, "limits", e);

	if (r < 0)
		return r;
	if (!b->launch.cgroup)
		return err_set(e, ERR_UNSUPPORTED, "limits need a cgroup");
	r = cgroup_update(b->launch.cgroup, &res, e);
	if (r == 0)
		client_answer(s, &q->who, NULL, 0);
	return r;
}

static int ask(struct server *s, const struct server_question *q, struct err *e)
{
	if (q->type == WIRE_SNAPSHOT)
		return err_set(e, ERR_UNSUPPORTED,
			       "the memory of a container cannot be saved: its processes are the "
			       "host's");
	return q->type == WIRE_STATS ? stats(s, q, e)
	       : q->type == WIRE_TOP ? top(s, q, e)
				     : update(s, q, e);
}

static bool oom(struct server *s)
{
	struct box *b = main_box(s);
	uint64_t n = 0;

	return b->launch.cgroup && cgroup_oom_kills(b->launch.cgroup, &n, NULL) == 0 && n > 0;
}

static void forget(struct proc *p)
{
	struct box *b = box_of(p);

	if (!b)
		return;
	loop_drop(&b->in);
	loop_drop(&b->out);
	loop_drop(&b->err);
	loop_drop(&b->ended);
	loop_drop(&b->oom);
	fuseroot_end(&b->root);
	launch_done(&b->launch);
	free(b);
	p->work = NULL;
}

/* The engine's plans leave nothing behind but the cgroup, and that is at hand: no need to parse the
 * plan and to find the directories again, as launch_cleanup() would. */
static void end(struct server *s)
{
	struct box *b = main_box(s);
	struct err ignored = ERR_INIT;

	if (!b)
		return;
	reap_failed(b);
	if (b->launch.cgroup) {
		cgroup_kill(b->launch.cgroup, SIGKILL, &ignored);
		cgroup_remove(b->launch.cgroup, &ignored);
	}
	forget(b->proc);
}

const struct workload_ops workload_container_ops = {
    .create = create,
    .start = start,
    .exec = exec,
    .deliver = send_signal,
    .resize = resize,
    .input = input,
    .flow = flow,
    .kill = kill_all,
    .freeze = freeze,
    .ask = ask,
    .oom = oom,
    .forget = forget,
    .end = end,
};
