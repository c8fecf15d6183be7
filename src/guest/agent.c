/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: one poll loop.  Frames from the host are decoded (message.h) and answered in
 * order; output of processes becomes frames under the host's grants; SIGCHLD reaps everything, as
 * process 1 must.
 *
 * Invariants: 1. .out holds at most OUT_HIGH bytes plus one answer per frame that was read, and no
 * frame is read while it holds more than OUT_HIGH: a host that stops reading stops us, and nothing
 * grows.  2. Stream 1 is the main process; .main_ready says that exec may join it.
 */
#include "guest/agent.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "guest/boot.h"
#include "guest/box.h"
#include "guest/guestfiles.h"
#include "guest/guestroot.h"
#include "guest/message.h"
#include "guest/procio.h"
#include "guest/settings.h"
#include "guest/statsjson.h"
#include "guest/thaw.h"
#include "runtime/cgroup.h"
#include "runtime/proclist.h"
#include "runtime/renew.h"
#include "spec/wire.h"
#include "sys/fd.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define STREAMS_MAX 128
#define BOXES_MAX   32
#define FIXED_POLLS 3 /* port, signals, want of memory */
#define OUT_HIGH    (1u << 20)
#define OUT_MAX	    (16u << 20)

struct agent {
	int port, signals;
	int oom;	   /* readable when something was killed for want of memory; -1 */
	uint64_t oom_told; /* how many the host knows of */
	struct wire_reader in;
	struct buf out;
	size_t out_off;
	struct arena plan_arena;
	struct plan *plan;
	bool main_ready, setup_failed, off;
	bool held;  /* processes and streams stand still: the machine is being saved */
	bool woken; /* as another one; it goes on when it was told which */
	struct procio streams[STREAMS_MAX];
	struct box boxes[BOXES_MAX];
};

/* ---- streams ---- */

static struct procio *find(struct agent *s, uint32_t id)
{
	for (size_t i = 0; id && i < STREAMS_MAX; i++)
		if (s->streams[i].id == id)
			return &s->streams[i];
	return NULL;
}

static struct procio *free_slot(struct agent *s)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (!s->streams[i].id)
			return &s->streams[i];
	return NULL;
}

static void close_child_ends(int child[3])
{
	for (int i = 0; i < 3; i++) {
		fd_close(child[i]);
		child[i] = -1;
	}
}

static void put_started(struct agent *s, const struct procio *st)
{
	uint32_t pid = htole32((uint32_t)st->launch.pid);

	wire_put(&s->out, WIRE_STARTED, st->id, &pid, sizeof(pid));
}

static struct launch_opts options(const int child[3])
{
	struct launch_opts o = LAUNCH_OPTS_INIT;

	for (int i = 0; i < 3; i++)
		o.stdio[i] = child[i];
	o.bundle = "/";
	o.seccomp_cache = "/run/caisson/files"; /* the host has sent what it has compiled */
	return o;
}

/* ---- START and EXEC ---- */

static int launch_main(struct procio *st, const struct plan *p, const int child[3], struct err *e)
{
	struct launch_opts o = options(child);
	int r = launch_create(p, &o, &st->launch, e);

	if (r < 0)
		return r;
	if (st->terminal)
		r = procio_terminal(st, st->launch.console, e);
	if (r == 0)
		r = launch_start(&st->launch, e);
	if (r < 0) {
		kill(st->launch.pid, SIGKILL);
		waitpid(st->launch.pid, NULL, 0);
		launch_cleanup(p, &o, NULL);
	}
	return r;
}

/* Balloon and random device, which nobody waits for: in a child, because a module takes some 10 ms
 * of an emulated CPU.  The loop reaps it; a machine without them runs as well. */
static void load_late(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(boot_modules("late", NULL) < 0);
}

/* The host writes it into the instance's record, so it comes before the EXIT of what was killed. */
static void tell_oom(struct agent *s)
{
	uint64_t n = 0;
	uint32_t v;

	if (!s->main_ready || s->held ||
	    cgroup_oom_kills(s->streams[0].launch.cgroup, &n, NULL) < 0 || n <= s->oom_told)
		return;
	s->oom_told = n;
	v = htole32(n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
	wire_put(&s->out, WIRE_OOM, 1, &v, sizeof(v));
}

static int start(struct agent *s, const struct message *m, struct err *e)
{
	struct procio *st = &s->streams[0];
	int child[3], r;

	if (s->plan)
		return err_set(e, ERR_CONFLICT, "the instance was started before");
	s->plan = m->plan;
	r = guestroot_mount(m->plan, e);
	if (r < 0)
		return r;
	r = procio_open(st, 1, m->plan->process->terminal, m->plan->caisson->open_stdin, child, e);
	if (r == 0)
		r = launch_main(st, m->plan, child, e);
	close_child_ends(child);
	if (r < 0) {
		procio_close(st);
		return r;
	}
	s->main_ready = true;
	s->oom = cgroup_oom_fd(st->launch.cgroup, NULL);
	put_started(s, st);
	load_late();
	return 0;
}

static struct box *find_box(struct agent *s, const char *id)
{
	for (size_t i = 0; i < BOXES_MAX; i++)
		if (s->boxes[i].stream && (!id || streq(s->boxes[i].plan->caisson->id, id)))
			return &s->boxes[i];
	return NULL;
}

/* A container besides the main instance; its end is that of its stream (leave_box()). */
static int start_box(struct agent *s, const struct message *m, struct procio *st,
		     const int child[3], struct err *e)
{
	struct box *b = s->boxes;
	int r;

	while (b < s->boxes + BOXES_MAX && b->stream)
		b++;
	if (b == s->boxes + BOXES_MAX)
		return err_set(e, ERR_LIMIT, "more than %d containers in the machine", BOXES_MAX);
	r = box_open(b, m->process.box_plan, s->plan, s->streams[0].launch.pid, e);
	if (r < 0)
		return r;
	if (find_box(s, b->plan->caisson->id))
		r = err_set(e, ERR_CONFLICT, "the container runs already");
	if (r == 0)
		r = launch_main(st, b->plan, child, e);
	if (r < 0) {
		box_close(b);
		return r;
	}
	b->stream = m->stream;
	b->init = st->launch.pid;
	return 0;
}

static void leave_box(struct agent *s, uint32_t stream)
{
	for (size_t i = 0; i < BOXES_MAX; i++) {
		struct launch_opts o = LAUNCH_OPTS_INIT;

		if (!s->boxes[i].stream || s->boxes[i].stream != stream)
			continue;
		launch_cleanup(s->boxes[i].plan, &o, NULL);
		box_close(&s->boxes[i]);
	}
}

/* A program, or a request about files, in the main instance or in a container besides. */
static int exec_there(struct agent *s, const struct message *m, struct procio *st,
		      const int child[3], struct err *e)
{
	const struct box *b = m->process.box ? find_box(s, m->process.box) : NULL;
	const struct plan *plan = b ? b->plan : s->plan;
	pid_t init = b ? b->init : s->streams[0].launch.pid;
	struct launch_opts o = options(child);
	int r = 0;

	if (m->process.box && !b)
		return err_set(e, ERR_CONFLICT, "the container is not running");
	if (m->process.files.n)
		r = box_files(&m->process.files, child, &st->launch, e);
	if (r)
		return r < 0 ? r : 0;
	if (b && m->process.files.n && box_unknown(&m->process.files))
		return err_set(e, ERR_UNSUPPORTED,
			       "what a container in a machine has changed cannot be told");
	if (m->process.files.n)
		return guestfiles_start(init, &m->process.files, child, &st->launch, e);
	o.flags = LAUNCH_SUBREAPER_OK; /* process 1 is one */
	r = launch_exec(plan, init, &m->process, &o, &st->launch, e);
	if (r == 0 && st->terminal)
		r = procio_terminal(st, st->launch.console, e);
	return r;
}

static int exec_more(struct agent *s, const struct message *m, struct err *e)
{
	struct procio *st = free_slot(s);
	int child[3], r;

	if (find(s, m->stream))
		return err_set(e, ERR_CORRUPT, "stream %u is in use", m->stream);
	/* What the main process has left can be asked for until the host ends the machine. */
	if (!s->main_ready && !(s->plan && m->process.files.n && !m->process.box))
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (!st)
		return err_set(e, ERR_LIMIT, "more than %d processes with streams", STREAMS_MAX);
	r = procio_open(st, m->stream, m->process.terminal, true, child, e);
	if (r == 0)
		r = m->process.box_plan ? start_box(s, m, st, child, e)
					: exec_there(s, m, st, child, e);
	close_child_ends(child);
	if (r < 0) {
		procio_close(st);
		return r;
	}
	put_started(s, st);
	return 0;
}

/* ---- other requests ---- */

static int stats(struct agent *s, uint32_t stream, struct err *e)
{
	struct cgroup_stats st;
	auto_buf struct buf b = BUF_INIT(4096);
	int r;

	if (!s->main_ready)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	r = cgroup_stats(s->streams[0].launch.cgroup, &st, e);
	if (r < 0)
		return r;
	statsjson_write(&st, &b);
	wire_put(&s->out, WIRE_OK, stream, b.p, b.len);
	return 0;
}

static int top(struct agent *s, uint32_t stream, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	int r;

	if (!s->main_ready)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	r = proclist_write(s->streams[0].launch.cgroup, &b, e);
	if (r == 0)
		r = buf_fail(&b, "list of processes", e);
	if (r == 0)
		wire_put(&s->out, WIRE_OK, stream, b.p, b.len);
	return r;
}

/* A share of the machine's CPUs is the host's to enforce; here the CPUs that are too many go. */
static int update(struct cgroup *cg, struct plan_resources r, struct err *e)
{
	int ret = 0;

	if (r.cpu && r.cpu->quota.set && r.cpu->period.set && r.cpu->period.v > 0) {
		ret = settings_cpus(r.cpu->quota.v, r.cpu->period.v, e);
		r.cpu = NULL;
	}
	return ret < 0 ? ret : cgroup_update(cg, &r, e);
}

static int limits(struct agent *s, const struct message *m, struct err *e)
{
	struct cgroup *cg = s->streams[0].launch.cgroup;

	if (!s->main_ready)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (m->type == WIRE_UPDATE)
		return update(cg, m->resources, e);
	return cgroup_freeze(cg, m->type == WIRE_PAUSE, e);
}

static void signal_stream(struct agent *s, const struct message *m)
{
	const struct procio *st = find(s, m->stream);

	if (st && !st->ended)
		syscall(SYS_pidfd_send_signal, st->launch.pidfd, (int)m->number, NULL, 0);
}

static int grant(struct agent *s, const struct message *m, struct err *e)
{
	struct procio *st = find(s, m->stream);

	if (!st)
		return 0;
	if (st->credit + m->number > PROCIO_WINDOW)
		return err_set(e, ERR_CORRUPT, "stream %u: %u bytes granted that were not sent",
			       m->stream, m->number);
	st->credit += m->number;
	return 0;
}

/* ---- saved, and gone on from ---- */

static int hold(struct agent *s, struct err *e)
{
	int r;

	if (!s->main_ready || s->held)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (find_box(s, NULL))
		return err_set(e, ERR_UNSUPPORTED,
			       "other instances run in the machine: their clients would be lost");
	/* Whoever goes on from here must not compute with the random numbers and addresses of
	 * another one, not for a moment. */
	r = cgroup_freeze(s->streams[0].launch.cgroup, true, e);
	if (r < 0)
		return r;
	s->held = true;
	return 0;
}

static int let_go(struct agent *s, struct err *e)
{
	int r = s->held ? cgroup_freeze(s->streams[0].launch.cgroup, false, e) : 0;

	s->held = s->woken = r < 0 && s->held;
	return r;
}

/* The main process keeps its stream; the clients of all others are gone. */
static int wake_saved(struct agent *s, const struct message *m, struct err *e)
{
	int r;

	if (!s->held)
		return err_set(e, ERR_CONFLICT, "WAKE of an instance that was started");
	r = settings_entropy(m->data, m->len, e);
	if (r < 0)
		return r;
	for (size_t i = 1; i < STREAMS_MAX; i++)
		if (s->streams[i].id)
			procio_close(&s->streams[i]);
	procio_anew(&s->streams[0]);
	s->woken = true;
	return 0;
}

static int name_it(pid_t init, const char *hostname)
{
	char path[40];
	int status = -1;
	pid_t pid;

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)init);
	pid = fork();
	if (pid == 0) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		_exit(fd < 0 || setns(fd, CLONE_NEWUTS) < 0 ||
		      sethostname(hostname, strlen(hostname)) < 0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return -EPERM;
	return 0;
}

static int adopt(struct agent *s, const struct message *m, struct err *e)
{
	const struct plan_identity *who = &m->identity;
	pid_t init = s->streams[0].launch.pid;
	auto_fd int root = -1;
	char path[32];
	int r = 0;

	if (!s->woken)
		return err_set(e, ERR_CONFLICT, "ADOPT of a machine that was not saved");
	if (who->hostname && name_it(init, who->hostname) < 0)
		return err_set(e, ERR_SYSTEM, "host name of a saved machine");
	snprintf(path, sizeof(path), "/proc/%d/root", (int)init);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "root of the instance");
	if (who->machine_id)
		r = renew_files(root, who->machine_id, e);
	if (r == 0)
		r = let_go(s, e);
	if (r == 0)
		put_started(s, &s->streams[0]);
	return r;
}

/* What needs no answer.  < 0: the host broke the protocol. */
static int one_way(struct agent *s, const struct message *m, struct err *e)
{
	struct procio *st = find(s, m->stream);

	switch (m->type) {
	case WIRE_STDIN:
		if (st && procio_input(st, m->data, m->len) < 0)
			return err_set(e, ERR_CORRUPT, "stream %u: more input than granted",
				       m->stream);
		return 0;
	case WIRE_WINDOW:
		return grant(s, m, e);
	case WIRE_SIGNAL:
		signal_stream(s, m);
		return 0;
	case WIRE_RESIZE:
		if (st)
			procio_resize(st, m->rows, m->columns);
		return 0;
	case WIRE_POWEROFF:
		s->off = true;
		return 0;
	default: /* HELLO: its version was ours, or the host would not go on */
		return 0;
	}
}

/* Setting or request; 1 when the answer was put already. */
static int request(struct agent *s, const struct message *m, struct err *e)
{
	int r;

	switch (m->type) {
	case WIRE_TIME:
		return settings_time(m->time_ns, e);
	case WIRE_ENTROPY:
		return settings_entropy(m->data, m->len, e);
	case WIRE_NET:
		return s->woken ? settings_net_again(&m->nic, e) : settings_net(&m->nic, e);
	case WIRE_HOLD:
		return hold(s, e);
	case WIRE_LETGO:
		return let_go(s, e);
	case WIRE_ADOPT:
		r = adopt(s, m, e);
		return r < 0 ? r : 1;
	case WIRE_FILE:
		return settings_file(m->name, m->data, m->len, e);
	case WIRE_PREPARE:
		if (s->plan)
			return err_set(e, ERR_CONFLICT, "the instance was started before");
		return thaw_prepare(e);
	case WIRE_START:
		r = start(s, m, e);
		return r < 0 ? r : 1;
	case WIRE_EXEC:
		r = exec_more(s, m, e);
		return r < 0 ? r : 1;
	case WIRE_STATS:
		r = stats(s, m->stream, e);
		return r < 0 ? r : 1;
	case WIRE_TOP:
		r = top(s, m->stream, e);
		return r < 0 ? r : 1;
	default: /* PAUSE RESUME UPDATE */
		return limits(s, m, e);
	}
}

static void put_hello(struct agent *s)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct utsname u;

	uname(&u);
	buf_printf(&b, "{\"version\":1,\"program\":\"caisson-guest\",\"kernel\":\"%s\"}",
		   u.release);
	wire_put(&s->out, WIRE_HELLO, 0, b.p, b.len);
}

static bool is_one_way(uint16_t type)
{
	return type == WIRE_STDIN || type == WIRE_WINDOW || type == WIRE_SIGNAL ||
	       type == WIRE_RESIZE || type == WIRE_POWEROFF || type == WIRE_HELLO;
}

/* The machine is somebody's now: new numbers first of all, then its devices. */
static int wake(struct agent *s, const struct message *m, struct err *e)
{
	int r;

	if (s->plan) {
		r = wake_saved(s, m, e);
	} else {
		r = settings_entropy(m->data, m->len, e);
		if (r == 0)
			r = thaw_wake(e);
	}
	if (r == 0)
		put_hello(s);
	return r;
}

static int handle(struct agent *s, const struct wire_frame *f, struct err *e)
{
	struct arena a = ARENA_INIT, *keep = &a;
	struct err answer = ERR_INIT;
	struct message m;
	int r;

	/* The plan lives as long as the machine. */
	if (f->type == WIRE_START)
		keep = &s->plan_arena;
	r = message_parse(f, keep, &m, e);
	if (r == 0 && f->type == WIRE_WAKE) {
		r = wake(s, &m, e);
	} else if (r == 0 && is_one_way(f->type)) {
		r = one_way(s, &m, e);
	} else if (r == 0 && !(s->setup_failed && f->stream == 1)) {
		r = request(s, &m, &answer);
		if (r < 0) {
			wire_put(&s->out, WIRE_ERR, f->stream, &answer, sizeof(answer));
			s->setup_failed = s->setup_failed || (f->stream == 1 && !s->main_ready);
		} else if (r == 0) {
			wire_put(&s->out, WIRE_OK, f->stream, NULL, 0);
		}
		r = 0;
	}
	arena_free(&a);
	return r;
}

/* ---- the loop ---- */

static void reap(struct agent *s)
{
	struct signalfd_siginfo info;
	int status;
	pid_t pid;

	while (read(s->signals, &info, sizeof(info)) > 0)
		;
	tell_oom(s);
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < STREAMS_MAX; i++)
			if (s->streams[i].id && !s->streams[i].ended &&
			    s->streams[i].launch.pid == pid) {
				s->streams[i].ended = true;
				s->streams[i].status = status;
			}
}

static int read_port(struct agent *s, struct err *e)
{
	size_t room;
	unsigned char *p = wire_room(&s->in, &room);
	struct wire_frame f;
	ssize_t n = read(s->port, p, room);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return err_sys(e, "channel to the host");
	if (n == 0)
		return err_set(e, ERR_SYSTEM, "the host closed the channel");
	wire_fed(&s->in, (size_t)n);
	while (!s->off && (r = wire_next(&s->in, &f, e)) != 0) {
		if (r > 0)
			r = handle(s, &f, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int write_port(struct agent *s, struct err *e)
{
	ssize_t n;

	while (s->out_off < s->out.len) {
		n = write(s->port, s->out.p + s->out_off, s->out.len - s->out_off);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n <= 0)
			return err_sys(e, "channel to the host");
		s->out_off += (size_t)n;
	}
	s->out.len = s->out_off = 0;
	return 0;
}

static bool has_room(const struct agent *s)
{
	return s->out.len - s->out_off < OUT_HIGH;
}

static void move_streams(struct agent *s, const struct pollfd *p)
{
	for (size_t i = 0; i < STREAMS_MAX; i++) {
		struct procio *st = &s->streams[i];

		if (!st->id)
			continue;
		procio_move(st, p + i * PROCIO_POLLS, has_room(s), &s->out);
		if (!has_room(s) || !procio_finish(st, &s->out))
			continue;
		if (st->id == 1) {
			s->main_ready = false;
			fd_close(s->oom); /* the cgroup goes with the stream */
			s->oom = -1;
		} else {
			leave_box(s, st->id);
		}
		procio_close(st);
	}
}

/* An ended process whose EXIT had to wait for room: nothing of its own wakes the loop again when
 * others have closed or hold its pipes, and the buffer may have emptied behind our back. */
static bool any_due(const struct agent *s)
{
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (s->streams[i].id && procio_due(&s->streams[i], &s->out))
			return true;
	return false;
}

static int turn(struct agent *s, struct err *e)
{
	static struct pollfd p[FIXED_POLLS + STREAMS_MAX * PROCIO_POLLS];
	size_t n = FIXED_POLLS + STREAMS_MAX * PROCIO_POLLS;
	char drop[4096];
	bool room = has_room(s);
	int r = 0;

	p[0] = (struct pollfd){
	    .fd = s->port,
	    .events = (short)((room ? POLLIN : 0) | (s->out.len > s->out_off ? POLLOUT : 0))};
	p[1] = (struct pollfd){.fd = s->signals, .events = POLLIN};
	p[2] = (struct pollfd){.fd = s->held ? -1 : s->oom, .events = POLLIN | POLLPRI};
	for (size_t i = 0; i < STREAMS_MAX; i++)
		if (s->streams[i].id && !s->held)
			procio_poll(&s->streams[i], room, p + FIXED_POLLS + i * PROCIO_POLLS);
		else
			for (size_t j = 0; j < PROCIO_POLLS; j++)
				p[FIXED_POLLS + i * PROCIO_POLLS + j] = (struct pollfd){.fd = -1};
	if (poll(p, n, any_due(s) ? 0 : -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	if (p[2].revents && read(s->oom, drop, sizeof(drop)) >= 0)
		tell_oom(s);
	if (p[1].revents)
		reap(s);
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		r = read_port(s, e);
	if (r == 0 && !s->held)
		move_streams(s, p + FIXED_POLLS);
	if (r == 0)
		r = write_port(s, e);
	return r;
}

int agent_run(int port, struct err *e)
{
	static struct agent s; /* about 24 KiB; the program has one */
	sigset_t mask;
	int r = 0;

	s = (struct agent){
	    .port = port, .out = BUF_INIT(OUT_MAX), .in = WIRE_READER_INIT, .oom = -1};
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGPIPE);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigdelset(&mask, SIGPIPE);
	s.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s.signals < 0)
		return err_sys(e, "signals");
	put_hello(&s);
	r = write_port(&s, e);
	while (r == 0 && !s.off)
		r = turn(&s, e);
	return r;
}
