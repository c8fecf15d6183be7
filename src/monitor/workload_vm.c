/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine as the monitor's workload: QEMU and the stream to the guest agent
 * (docs/protocols/guest.md), on which every process is a stream of the same number.
 *
 * The guest is not trusted: a frame that breaks the protocol ends the machine.  What it may send
 * ahead of our WINDOW frames bounds what we hold for it, what we may send ahead of its WINDOW
 * frames bounds what waits in .out.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "monitor/cgrecord.h"
#include "monitor/client.h"
#include "monitor/gauge.h"
#include "monitor/guestfilter.h"
#include "monitor/hostinfo.h"
#include "monitor/server.h"
#include "monitor/vmlimits.h"
#include "monitor/vmpatience.h"
#include "runtime/cgroup.h"
#include "spec/control.h"
#include "spec/metrics.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "vmm/vm.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define GUEST_WINDOW   (256u << 10)
#define DATA_MAX       (64u << 10)
#define GREETING_MAX   (4u << 20)
#define BOOT_TIMEOUT_S 180 /* a kernel on a busy TCG host takes seconds, not minutes */
#define WAKE_TIMEOUT_S 30  /* it was booted before */
#define KILL_GRACE_S   3   /* for the agent to do it; then QEMU goes */
#define STOP_MS	       10000
#define HOLD_TIMEOUT_S 15 /* for the agent to stop what runs, before it is saved */

static struct gate *gate_new(struct proc *p)
{
	struct gate *g = calloc(1, sizeof(*g));

	if (!g)
		abort();
	g->may_send = GUEST_WINDOW;
	p->work = g;
	return g;
}

static struct proc *find(struct server *s, uint32_t stream)
{
	for (struct proc *p = s->procs; p; p = p->next)
		if (p->number == stream)
			return p;
	return NULL;
}

/* ---- sending ---- */

static void flush(struct machine *m)
{
	/* A broken stream is noticed by the reading side. */
	if (m->stream.fd >= 0 && outq_flush(&m->out, m->stream.fd) >= 0)
		loop_want(&m->stream, EPOLLIN | (m->out.len ? EPOLLOUT : 0));
}

static void put(struct machine *m, enum wire_type type, uint32_t stream, const void *data,
		size_t len)
{
	struct outq *q = m->saving ? &m->parked : &m->out;
	unsigned char h[WIRE_HEADER];

	wire_header(h, type, stream, len);
	outq_add(q, h, sizeof(h));
	outq_add(q, data, len);
	flush(m);
}

static void grant(struct proc *p)
{
	struct gate *g = gate_of(p);
	uint32_t n = htole32((uint32_t)g->ungranted);

	if (!g->ungranted)
		return;
	g->ungranted = 0;
	put(machine_of(p->server), WIRE_WINDOW, p->number, &n, sizeof(n));
}

static void input(struct proc *p)
{
	struct machine *m = machine_of(p->server);
	struct gate *g = gate_of(p);

	while (p->started && p->in.len && g->may_send) {
		size_t n = p->in.len < g->may_send ? p->in.len : g->may_send;

		n = n < DATA_MAX ? n : DATA_MAX;
		put(m, WIRE_STDIN, p->number, p->in.p + p->in.off, n);
		outq_took(&p->in, n);
		g->may_send -= n;
		server_took(p, n);
	}
	if (p->started && !p->in.len && p->in_eof && !g->eof_sent) {
		g->eof_sent = true;
		put(m, WIRE_STDIN, p->number, NULL, 0);
	}
}

static void flow(struct proc *p)
{
	grant(p);
}

/* ---- the end of the machine ---- */

static void machine_kill(struct machine *m)
{
	m->dying = true;
	if (m->vm)
		syscall(SYS_pidfd_send_signal, vm_pidfd(m->vm), SIGKILL, NULL, 0);
}

static void again(struct machine *m, bool cold);

static void fail(struct server *s, const struct err *why)
{
	struct proc *p = server_main(s);
	struct machine *m = machine_of(s);

	if (p->ended)
		return;
	/* Whatever a template brings about, the instance runs without one as well. */
	if (!m->dying &&
	    (vm_role(m->vm) == VM_MAKER || (vm_role(m->vm) == VM_CLONE && !m->greeted))) {
		vm_discard(m->vm, why);
		again(m, true);
		return;
	}
	m->dying = true;
	if (!p->started) {
		server_failed(p, why);
		return;
	}
	/* Whoever waits for a process of it hears that it was killed. */
	while (s->procs != p) {
		s->procs->status = SIGKILL;
		server_exited(s->procs, SIGKILL);
	}
	s->failure = *why;
	server_exited(p, SIGKILL);
}

static void ended_ready(struct watch *w, uint32_t events)
{
	struct machine *m = loop_owner(w, struct machine, ended);
	struct err why = ERR_INIT;

	loop_drop(w);
	if (m->dying)
		err_set(&why, ERR_CANCELED, "the virtual machine was killed");
	else
		vm_why(m->vm, &why);
	fail(m->server, &why);
}

static void text_ready(struct watch *w, uint32_t events)
{
	struct machine *m = loop_owner(w, struct machine, text);

	if (vm_text_read(m->vm) == 0)
		loop_drop(w);
}

static void save_over(struct machine *m, int r, struct err *e);

static void timer_ready(struct watch *w, uint32_t events)
{
	struct machine *m = loop_owner(w, struct machine, timer);
	struct err why = ERR_INIT;

	loop_drop(w);
	if (m->saving && !m->dying) {
		err_set(&why, ERR_TIMEOUT, "the guest did not stop its processes in %d s",
			HOLD_TIMEOUT_S);
		save_over(m, -ETIMEDOUT, &why);
		return;
	}
	if (m->dying || server_main(m->server)->started) {
		machine_kill(m);
		return;
	}
	if (m->greeted)
		err_set(&why, ERR_TIMEOUT, "the guest did not %s in %d s",
			vm_role(m->vm) == VM_MAKER ? "get ready to be a template"
						   : "start the process",
			BOOT_TIMEOUT_S);
	else
		err_set(&why, ERR_TIMEOUT, "the guest did not come up in %d s",
			vm_role(m->vm) == VM_CLONE || vm_role(m->vm) == VM_RESUMED
			    ? WAKE_TIMEOUT_S
			    : BOOT_TIMEOUT_S);
	fail(m->server, &why);
}

static void set_timer(struct machine *m, int seconds)
{
	struct itimerspec t = {.it_value = {.tv_sec = seconds}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

	loop_drop(&m->timer);
	if (fd < 0)
		return;
	timerfd_settime(fd, 0, &t, NULL);
	if (loop_watch(&m->server->loop, &m->timer, fd, EPOLLIN, timer_ready) < 0)
		fd_close(fd);
}

/* ---- questions ---- */

static int answer_stats(struct server *s, const struct server_asker *who,
			const struct metrics *guest, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(4096);
	struct machine *m = machine_of(s);
	struct metrics st;
	int r = gauge_cgroup(m->cgroup, &st, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < m->taps.n; i++)
		gauge_device_net(s->setup->run_root, m->taps.v[i], &st);
	st.memory_limit_bytes = m->limit_bytes;
	/* The host's are the threads of QEMU. */
	st.pids = guest->pids;
	st.pids_limit = guest->pids_limit == UINT64_MAX ? 0 : guest->pids_limit;
	st.oom_kills += guest->oom_kills;
	jbind_write(&metrics_table, &st, &out);
	client_answer(s, who, out.p, out.len);
	return 0;
}

static int ask_guest(struct machine *m, const struct server_question *q, const char *json,
		     size_t len, struct err *e)
{
	struct asked *a;

	if (m->asked_count >= ASKED_MAX)
		return err_set(e, ERR_TIMEOUT, "the guest does not answer");
	a = calloc(1, sizeof(*a));
	if (!a)
		abort();
	*a = (struct asked){.stream = ASKED_FIRST + (m->asked_last++ & 0xffffff),
			    .type = q->type,
			    .who = q->who,
			    .until_ns = vmpatience_until(),
			    .next = m->asked};
	m->asked = a;
	m->asked_count++;
	vmpatience_set(m);
	put(m, q->type, a->stream, json, len);
	return 0;
}

static void on_answer(struct machine *m, const struct wire_frame *f)
{
	auto_arena struct arena a = ARENA_INIT;
	struct asked **l = &m->asked, *q;
	struct err e = ERR_INIT;
	struct metrics st = {0};
	union {
		const unsigned char *in;
		const char *out;
	} u = {.in = f->data};
	int r = 0;

	while (*l && (*l)->stream != f->stream)
		l = &(*l)->next;
	q = *l;
	if (!q)
		return;
	*l = q->next;
	m->asked_count--;
	if (f->type == WIRE_ERR) {
		r = wire_err(f, &e);
	} else if (q->type == WIRE_HOLD) {
		r = vm_save(m->vm, m->save_dir, &e);
	} else if (q->type == WIRE_STATS) {
		r = jbind_parse(&metrics_table, u.out, f->len, &st, &a, "numbers of the guest", &e);
		if (r == 0)
			r = answer_stats(m->server, &q->who, &st, &e);
	} else {
		/* Whoever asked parses it as what it is, a guest's text. */
		client_answer(m->server, &q->who, f->data, f->len);
	}
	if (q->type == WIRE_HOLD)
		save_over(m, r, &e);
	else if (r < 0)
		client_refuse(m->server, &q->who, &e);
	free(q);
}

/* ---- snapshots ---- */

static void tell_time(struct machine *m)
{
	struct timespec t;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &t);
	ns = htole64((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
	put(m, WIRE_TIME, 0, &ns, sizeof(ns));
}

/* However it went, the guest goes on. */
static void save_over(struct machine *m, int r, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(256);
	struct control_snapshot_done done;
	struct outq parked = m->parked;

	loop_drop(&m->timer);
	m->saving = false;
	m->parked = OUTQ_INIT;
	fd_close(m->save_dir);
	m->save_dir = -1;
	tell_time(m);
	put(m, WIRE_LETGO, 0, NULL, 0);
	done.pause_ns = trace_now_ns() - m->save_from_ns;
	outq_add(&m->out, parked.p + parked.off, parked.len);
	outq_done(&parked);
	flush(m);
	jbind_write(&control_snapshot_done_table, &done, &b);
	if (r < 0)
		client_refuse(m->server, &m->saver, e);
	else
		client_answer(m->server, &m->saver, b.p, b.len);
}

static int snapshot(struct machine *m, const struct server_question *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct server_question hold = {.type = WIRE_HOLD, .who = q->who};
	struct control_snapshot c = {0};
	auto_fd int dir = -1;
	int r = jbind_parse(&control_snapshot_table, q->json, q->len, &c, &a, "snapshot", e);

	if (r < 0)
		return r;
	if (m->saving || m->dying)
		return err_set(e, ERR_CONFLICT, "the machine is being saved, or ends");
	dir = open(c.dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "snapshot '%s'", c.dir);
	r = vm_save_begin(m->vm, dir, e);
	if (r < 0)
		return r;
	m->save_from_ns = trace_now_ns();
	r = ask_guest(m, &hold, NULL, 0, e);
	if (r < 0)
		return r;
	m->saving = true;
	m->saver = q->who;
	m->save_dir = take_fd(&dir);
	set_timer(m, HOLD_TIMEOUT_S);
	return 0;
}

/* ---- what the agent says ---- */

static int broken(struct err *e, const struct wire_frame *f)
{
	return err_set(e, ERR_CORRUPT, "the guest agent broke the protocol: %s of %zu bytes on %u",
		       wire_type_name(f->type), f->len, f->stream);
}

static int on_hello(struct machine *m, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(GREETING_MAX);
	int r;

	if (m->greeted)
		return err_set(e, ERR_CORRUPT, "the guest agent said HELLO twice");
	r = vm_greeting(m->vm, &b, e);
	if (r < 0)
		return r;
	m->greeted = true;
	set_timer(m, BOOT_TIMEOUT_S);
	/* The cpuset holds in any case. */
	if (m->cpuset && vm_role(m->vm) != VM_MAKER)
		vm_pin(m->vm, m->cpuset, NULL);
	outq_add(&m->out, b.p, b.len);
	flush(m);
	return 0;
}

static void send_size(struct proc *p)
{
	unsigned int rows = gate_of(p)->rows, columns = gate_of(p)->columns;
	unsigned char b[4] = {(unsigned char)rows, (unsigned char)(rows >> 8),
			      (unsigned char)columns, (unsigned char)(columns >> 8)};

	put(machine_of(p->server), WIRE_RESIZE, p->number, b, sizeof(b));
}

static int on_output(struct proc *p, const struct wire_frame *f, struct err *e)
{
	struct gate *g = gate_of(p);
	union {
		const unsigned char *in;
		const char *out;
	} u = {.in = f->data};

	if (f->len > DATA_MAX || g->ungranted + f->len > GUEST_WINDOW)
		return broken(e, f);
	if (!f->len)
		return 0;
	g->ungranted += f->len;
	server_output(p, f->type == WIRE_STDERR ? LOGFILE_STDERR : LOGFILE_STDOUT, u.out, f->len);
	/* In larger steps: a grant per frame would double the traffic. */
	if (!p->congested && g->ungranted >= GUEST_WINDOW / 4)
		grant(p);
	return 0;
}

/* A guest can claim as many as it likes: an event a second is what it gets. */
static void tell_oom(struct machine *m, uint32_t count)
{
	const int64_t now = trace_now_ns();

	m->oom = true;
	if (count <= m->ooms || now - m->oom_told_ns < 1000000000)
		return;
	m->ooms = count;
	m->oom_told_ns = now;
	server_oom(m->server);
}

static int on_frame(struct machine *m, const struct wire_frame *f, struct err *e)
{
	struct server *s = m->server;
	struct proc *p = find(s, f->stream);
	struct err why = ERR_INIT;
	uint32_t v = 0;

	if (f->type == WIRE_HELLO)
		return on_hello(m, e);
	if (!m->greeted)
		return broken(e, f);
	if (vm_role(m->vm) == VM_MAKER) {
		if (f->type == WIRE_ERR)
			return wire_err(f, e);
		if (f->type != WIRE_OK)
			return broken(e, f);
		m->over = true;
		return vm_freeze(m->vm, e);
	}
	if (f->stream >= ASKED_FIRST && (f->type == WIRE_OK || f->type == WIRE_ERR)) {
		on_answer(m, f);
		return 0;
	}
	if (f->type == WIRE_OK || !p)
		return 0; /* answers to settings; a process we have given up */
	if (f->len == sizeof(v))
		memcpy(&v, f->data, sizeof(v));
	v = le32toh(v);
	switch (f->type) {
	case WIRE_STARTED:
		if (p->started)
			return broken(e, f);
		gate_of(p)->until_ns = 0;
		if (p->number == 1 && !m->dying)
			loop_drop(&m->timer);
		/* On the host the process to look at is QEMU. */
		server_started(p, p->number == 1 ? vm_pid(m->vm) : (int64_t)v);
		if (gate_of(p)->rows) /* it may have changed while the machine booted */
			send_size(p);
		return 0;
	case WIRE_ERR:
		wire_err(f, &why);
		if (!p->started)
			server_failed(p, &why);
		return 0;
	case WIRE_STDOUT:
	case WIRE_STDERR:
		return p->started ? on_output(p, f, e) : broken(e, f);
	case WIRE_WINDOW:
		if (v > GUEST_WINDOW || gate_of(p)->may_send + v > GUEST_WINDOW)
			return broken(e, f);
		gate_of(p)->may_send += v;
		input(p);
		return 0;
	case WIRE_OOM:
		if (f->stream != 1 || f->len != sizeof(v))
			return broken(e, f);
		tell_oom(m, v);
		return 0;
	case WIRE_EXIT:
		if (!p->started || f->len != sizeof(v))
			return broken(e, f);
		if (p->number == 1 && m->linger && !m->lingers && !m->dying) {
			m->lingers = true;
			server_lingers(p, (int)v);
			return 0;
		}
		server_exited(p, (int)v);
		return 0;
	default:
		return broken(e, f);
	}
}

static void stream_ready(struct watch *w, uint32_t events)
{
	struct machine *m = loop_owner(w, struct machine, stream);
	const struct vm *vm = m->vm;
	struct server *s = m->server;
	struct wire_frame f;
	struct err e = ERR_INIT;
	unsigned char *at;
	size_t room;
	ssize_t n;
	int r;

	if (events & EPOLLOUT)
		flush(m);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	at = wire_room(&m->reader, &room);
	n = read(w->fd, at, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* the machine's end says more than its stream's */
		loop_want(w, 0);
		return;
	}
	wire_fed(&m->reader, (size_t)n);
	/* The end of the main process takes the machine away. */
	while (!s->ended && (r = wire_next(&m->reader, &f, &e)) != 0) {
		if (r > 0)
			r = on_frame(m, &f, &e);
		if (r < 0)
			fail(s, &e);
		else if (m->over)
			again(m, false);
		if (r < 0 || m->vm != vm) /* the reader is another one's */
			return;
	}
}

/* ---- making ---- */

static int admit(pid_t pid, void *arg, struct err *e)
{
	const struct machine *m = arg;

	return cgroup_enter(m->cgroup, e);
}

/* Memory and processes are the machine's; what its threads may compute is the host's to say. */
static int make_cgroup(struct machine *m, const struct plan *p, struct arena *a, struct err *e)
{
	struct plan_resources res = {.devices = vm_device_rules(a)};
	struct cgroup_request rq = {
	    .path = p->linux_->cgroups_path,
	    .id = p->caisson->id,
	    .flags = CGROUP_PATH_OURS,
	    .resources = &res,
	};
	int r;

	if (p->linux_->resources) {
		res.cpu = p->linux_->resources->cpu;
		res.block_io = p->linux_->resources->block_io;
	}
	r = cgroup_create(&rq, &m->cgroup, e);
	return r < 0 ? r : cgrecord_write(p, m->cgroup, e);
}

static int run_machine(struct machine *m, const struct plan *p, bool cold, struct arena *a,
		       struct err *e)
{
	const struct server_setup *set = m->server->setup;
	const char *send[] = {guestfilter_path(p, a), NULL};
	struct vm_files files = {
	    .kernel_dirs = hostinfo_kernel_dirs(set->root, set->data, a),
	    .kernel = hostinfo_kernel(set->root, a),
	    .send = send,
	    .agent = arena_printf(a, "%s/caisson-guest", set->libexec),
	    .guestmem = arena_printf(a, "%s/caisson-guestmem.so", set->libexec),
	    .cold = cold,
	    .cache_dir = arena_printf(a, "%s/cache/vm", set->root),
	    .taps = set->taps,
	    .tap_count = set->n_taps,
	    .admit = admit,
	    .arg = m,
	};

	return vm_start(p, &files, &m->vm, e);
}

static int watch_machine(struct machine *m, struct err *e)
{
	auto_buf struct buf first = BUF_INIT(4096);
	struct loop *l = &m->server->loop;
	int stream = fcntl(vm_fd(m->vm), F_DUPFD_CLOEXEC, 3);
	int ended = fcntl(vm_pidfd(m->vm), F_DUPFD_CLOEXEC, 3);
	int text = vm_text_fd(m->vm) < 0 ? -1 : fcntl(vm_text_fd(m->vm), F_DUPFD_CLOEXEC, 3);

	if (stream < 0 || ended < 0 ||
	    loop_watch(l, &m->stream, stream, EPOLLIN, stream_ready) < 0 ||
	    loop_watch(l, &m->ended, ended, EPOLLIN, ended_ready) < 0 ||
	    (text >= 0 && loop_watch(l, &m->text, text, EPOLLIN, text_ready) < 0))
		return err_set(e, ERR_SYSTEM, "the virtual machine cannot be watched");
	set_timer(m, vm_role(m->vm) == VM_CLONE || vm_role(m->vm) == VM_RESUMED ? WAKE_TIMEOUT_S
										: BOOT_TIMEOUT_S);
	if (vm_first(m->vm, &first, e) < 0)
		return -EIO;
	outq_add(&m->out, first.p, first.len);
	flush(m);
	return 0;
}

static void remember(struct machine *m, const struct plan *p)
{
	const struct plan_nics *nics = &p->caisson->nics;

	m->memory_bytes = m->limit_bytes = p->caisson->vm->memory_bytes;
	m->cpus = p->caisson->vm->cpus;
	if (p->linux_->resources && p->linux_->resources->cpu && p->linux_->resources->cpu->cpus &&
	    *p->linux_->resources->cpu->cpus)
		m->cpuset = arena_dup(&m->arena, p->linux_->resources->cpu->cpus);
	m->linger = p->caisson->vm->linger;
	for (size_t i = 0; i < nics->n; i++)
		if (nics->v[i].tap)
			arena_strs_add(&m->arena, &m->taps, arena_dup(&m->arena, nics->v[i].tap));
}

static void end(struct server *s);

/* QEMU and the guest's boot begin at once; the workload's process waits for START, which is what
 * the guest is told when it says HELLO. */
static int create(struct server *s, struct err *e)
{
	struct machine *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	*m = (struct machine){.server = s,
			      .stream = WATCH_INIT,
			      .text = WATCH_INIT,
			      .ended = WATCH_INIT,
			      .timer = WATCH_INIT,
			      .patience = WATCH_INIT,
			      .save_dir = -1};
	s->work = m;
	gate_new(server_main(s));
	return 0;
}

static int begin(struct machine *m, struct plan *p, bool cold, struct arena *a, struct err *e)
{
	const struct gate *g = gate_of(server_main(m->server));
	int r;

	/* The terminal has its size from the first moment: the client told it before the start. */
	if (p->process && g->rows)
		p->process->console_size =
		    (struct plan_console){.height = g->rows, .width = g->columns};
	r = run_machine(m, p, cold, a, e);
	return r < 0 ? r : watch_machine(m, e);
}

static void start(struct server *s)
{
	auto_arena struct arena a = ARENA_INIT;
	struct machine *m = machine_of(s);
	struct err e = ERR_INIT;
	struct plan *p;
	int r = server_plan(s, &a, &p, &e);

	if (r == 0)
		remember(m, p);
	if (r == 0)
		r = make_cgroup(m, p, &a, &e);
	if (r == 0)
		r = begin(m, p, false, &a, &e);
	if (r < 0)
		server_failed(server_main(s), &e);
}

static void put_away(struct machine *m)
{
	loop_drop(&m->timer);
	loop_drop(&m->stream);
	loop_drop(&m->text);
	loop_drop(&m->ended);
	vm_done(m->vm);
	m->vm = NULL;
}

/* The next machine of this start: after the one that made a template, or the one that a template
 * did not bring up. */
static void again(struct machine *m, bool cold)
{
	auto_arena struct arena a = ARENA_INIT;
	struct err e = ERR_INIT;
	struct plan *p;
	int r;

	put_away(m);
	outq_done(&m->out);
	wire_reader_done(&m->reader);
	m->greeted = m->over = false;
	r = server_plan(m->server, &a, &p, &e);
	if (r == 0)
		r = begin(m, p, cold, &a, &e);
	if (r < 0)
		server_failed(server_main(m->server), &e);
}

static int exec(struct server *s, struct proc *p, const struct plan_process *process, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	int r;

	gate_new(p);
	jbind_write(&plan_process_table, process, &b);
	r = buf_fail(&b, "process", e);
	if (r < 0)
		return r;
	gate_of(p)->until_ns = vmpatience_until();
	put(machine_of(s), WIRE_EXEC, p->number, b.p, b.len);
	vmpatience_set(machine_of(s));
	return 0;
}

/* ---- control ---- */

static int kill_all(struct server *s, struct err *e)
{
	struct machine *m = machine_of(s);
	uint32_t n = htole32(SIGKILL);

	if (!server_main(s)->started) {
		machine_kill(m);
		return 0;
	}
	m->dying = true;
	if (s->frozen || m->lingers) {
		machine_kill(m);
		return 0;
	}
	/* By the agent, so that the disk is left clean; else by the host. */
	put(m, WIRE_SIGNAL, 1, &n, sizeof(n));
	set_timer(m, KILL_GRACE_S);
	return 0;
}

static int send_signal(struct server *s, struct proc *p, int sig, struct err *e)
{
	uint32_t n = htole32((uint32_t)sig);

	if (sig == SIGKILL && p->number == 1)
		return kill_all(s, e);
	put(machine_of(s), WIRE_SIGNAL, p->number, &n, sizeof(n));
	return 0;
}

static void resize(struct server *s, struct proc *p, unsigned int rows, unsigned int columns)
{
	gate_of(p)->rows = rows;
	gate_of(p)->columns = columns;
	if (p->started)
		send_size(p);
}

static int freeze(struct server *s, bool frozen, struct err *e)
{
	struct machine *m = machine_of(s);
	int r;

	if (m->saving)
		return err_set(e, ERR_CONFLICT, "the machine is being saved");
	if (frozen)
		return vm_pause(m->vm, e);
	r = vm_resume(m->vm, e);
	if (r == 0)
		tell_time(m); /* the guest's clock stood still with it */
	return r;
}

#define GUEST_OWN (32u << 20) /* what its kernel and our agent need of the machine's memory */

/* What its threads may compute and read is the host's to say; memory, processes and how many CPUs
 * are online is the guest's. */
static int update(struct machine *m, const struct server_question *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(WIRE_PAYLOAD_MAX);
	struct plan_resources res = {0}, host, guest;
	int r = jbind_parse(&plan_resources_table, q->json, q->len, &res, &a, "limits", e);

	if (r == 0)
		r = vmlimits_check(&res, m->memory_bytes, m->cpus, e);
	if (r < 0)
		return r;
	host = (struct plan_resources){.cpu = res.cpu, .block_io = res.block_io};
	if (res.cpu || res.block_io)
		r = cgroup_update(m->cgroup, &host, e);
	if (r < 0)
		return r;
	if (res.cpu && res.cpu->cpus && *res.cpu->cpus) {
		m->cpuset = arena_dup(&m->arena, res.cpu->cpus);
		r = vm_pin(m->vm, m->cpuset, e);
		if (r < 0)
			return r;
	}
	if (res.memory && res.memory->limit.set) {
		/* The balloon gives back to the host what the limit takes from the guest. */
		struct err ignored = ERR_INIT;

		vm_balloon(m->vm, (uint64_t)res.memory->limit.v, &ignored);
		m->limit_bytes = (uint64_t)res.memory->limit.v;
		res.memory->limit.v -= GUEST_OWN;
	}
	guest = (struct plan_resources){.memory = res.memory, .pids = res.pids};
	if (res.cpu && res.cpu->quota.set) {
		guest.cpu = arena_alloc(&a, sizeof(*guest.cpu));
		guest.cpu->quota = res.cpu->quota;
		guest.cpu->period = res.cpu->period;
	}
	if (!guest.memory && !guest.pids && !guest.cpu) {
		client_answer(m->server, &q->who, NULL, 0);
		return 0;
	}
	jbind_write(&plan_resources_table, &guest, &b);
	return ask_guest(m, q, b.p, b.len, e);
}

static int ask(struct server *s, const struct server_question *q, struct err *e)
{
	static const struct metrics nothing;
	struct machine *m = machine_of(s);

	/* A frozen guest answers nothing; the host's numbers are there. */
	if (s->frozen && q->type == WIRE_STATS)
		return answer_stats(s, &q->who, &nothing, e);
	if (s->frozen)
		return err_set(e, ERR_CONFLICT, "the instance is paused");
	if (q->type == WIRE_SNAPSHOT)
		return snapshot(m, q, e);
	return q->type == WIRE_UPDATE ? update(m, q, e) : ask_guest(m, q, NULL, 0, e);
}

static bool oom(struct server *s)
{
	struct machine *m = machine_of(s);
	uint64_t n = 0;

	return m->oom || (m->cgroup && cgroup_oom_kills(m->cgroup, &n, NULL) == 0 && n > 0);
}

static void forget(struct proc *p)
{
	free(p->work);
	p->work = NULL;
}

static void end(struct server *s)
{
	struct machine *m = machine_of(s);
	struct err ignored = ERR_INIT;
	bool border;

	if (!m)
		return;
	if (m->stream.fd >= 0)
		flush(m);
	border = m->vm && !m->out.len && m->greeted && !m->dying;
	/* In the middle of a frame the agent would not understand POWEROFF. */
	if (border)
		vm_stop(m->vm, STOP_MS, &ignored);
	put_away(m);
	loop_drop(&m->patience);
	if (m->cgroup) {
		cgroup_kill(m->cgroup, SIGKILL, &ignored);
		cgroup_remove(m->cgroup, &ignored);
		cgroup_close(m->cgroup);
	}
	outq_done(&m->out);
	outq_done(&m->parked);
	fd_close(m->save_dir);
	wire_reader_done(&m->reader);
	while (m->asked) {
		struct asked *next = m->asked->next;

		free(m->asked);
		m->asked = next;
	}
	arena_free(&m->arena);
	forget(server_main(s));
	free(m);
	s->work = NULL;
}

const struct workload_ops workload_vm_ops = {
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
