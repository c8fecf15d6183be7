/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container in a running machine as the monitor's workload.  The machine is another instance, a
 * VM with a monitor of its own; this one is a client of that (docs/protocols/control.md), with a
 * connection per process, on which the process is stream 1: the main one by EXEC of a whole plan,
 * which the guest agent makes a container of, others by EXEC in it.
 *
 * When the connection of the main process breaks, the machine's monitor kills the container (a
 * killed monitor leaves nothing behind); when the machine ends, the connection does, and that is
 * the end of the container.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "monitor/client.h"
#include "monitor/server.h"
#include "spec/control.h"
#include "spec/plan.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/sock.h"
#include "vmm/guestplan.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define STREAM	 1
#define DATA_MAX (64u << 10)

struct inner {
	struct proc *proc;
	struct watch conn;
	struct wire_reader reader;
	struct outq out;
	size_t may_send; /* stdin bytes */
	bool eof_sent;
	unsigned int rows, columns; /* asked for before it ran; 0: not */
};

static struct inner *inner_of(struct proc *p)
{
	return p->work;
}

/* ---- sending ---- */

static void want(struct inner *b)
{
	loop_want(&b->conn,
		  (b->proc->congested ? 0 : EPOLLIN) | (b->out.len ? EPOLLOUT : (uint32_t)0));
}

static void put(struct inner *b, enum wire_type type, uint32_t stream, const void *data, size_t len)
{
	unsigned char h[WIRE_HEADER];

	if (b->conn.fd < 0)
		return;
	wire_header(h, type, stream, len);
	outq_add(&b->out, h, sizeof(h));
	outq_add(&b->out, data, len);
	/* A broken connection is noticed by the reading side. */
	if (outq_flush(&b->out, b->conn.fd) >= 0)
		want(b);
}

static int put_json(struct inner *b, enum wire_type type, uint32_t stream, const struct jbind *t,
		    const void *in, struct err *e)
{
	auto_buf struct buf json = BUF_INIT(WIRE_PAYLOAD_MAX);
	int r;

	jbind_write(t, in, &json);
	r = buf_fail(&json, "request", e);
	if (r == 0)
		put(b, type, stream, json.p, json.len);
	return r;
}

static void input(struct proc *p)
{
	struct inner *b = inner_of(p);

	while (p->started && p->in.len && b->may_send) {
		size_t n = p->in.len < b->may_send ? p->in.len : b->may_send;

		n = n < DATA_MAX ? n : DATA_MAX;
		put(b, WIRE_STDIN, STREAM, p->in.p + p->in.off, n);
		outq_took(&p->in, n);
		b->may_send -= n;
		server_took(p, n);
	}
	if (p->started && !p->in.len && p->in_eof && !b->eof_sent) {
		b->eof_sent = true;
		put(b, WIRE_STDIN, STREAM, NULL, 0);
	}
}

static void flow(struct proc *p)
{
	want(inner_of(p));
}

/* ---- what the machine's monitor says ---- */

/* The last that is done with b: the server may forget the process. */
static void over(struct inner *b, int status, const struct err *why)
{
	struct proc *p = b->proc;

	loop_drop(&b->conn);
	if (!p->started)
		server_failed(p, why);
	else
		server_exited(p, status);
}

static void gone(struct inner *b, const struct err *why)
{
	struct server *s = b->proc->server;

	if (b->proc == server_main(s) && b->proc->started && !b->proc->ended)
		s->failure = *why;
	over(b, SIGKILL, why);
}

static void send_size(struct inner *b)
{
	unsigned char size[4] = {(unsigned char)b->rows, (unsigned char)(b->rows >> 8),
				 (unsigned char)b->columns, (unsigned char)(b->columns >> 8)};

	put(b, WIRE_RESIZE, STREAM, size, sizeof(size));
}

/* 1: b is no more. */
static int on_frame(struct inner *b, const struct wire_frame *f)
{
	struct proc *p = b->proc;
	struct err why = ERR_INIT;
	uint32_t v = 0;
	union {
		const unsigned char *in;
		const char *out;
	} u = {.in = f->data};

	if (f->len == sizeof(v))
		memcpy(&v, f->data, sizeof(v));
	v = le32toh(v);
	switch (f->type) {
	case WIRE_STARTED:
		/* On the host nothing stands for it but this process. */
		server_started(p, p->number == 1 ? getpid() : (int64_t)v);
		if (b->rows)
			send_size(b);
		input(p);
		return 0;
	case WIRE_STDOUT:
	case WIRE_STDERR:
		if (f->len)
			server_output(p, f->type == WIRE_STDERR ? LOGFILE_STDERR : LOGFILE_STDOUT,
				      u.out, f->len);
		return 0;
	case WIRE_WINDOW:
		b->may_send += v;
		input(p);
		return 0;
	case WIRE_EXIT:
		over(b, (int)v, &why);
		return 1;
	case WIRE_ERR:
		wire_err(f, &why);
		over(b, SIGKILL, &why);
		return 1;
	default:
		return 0;
	}
}

static void conn_ready(struct watch *w, uint32_t events)
{
	struct inner *b = loop_owner(w, struct inner, conn);
	struct wire_frame f;
	struct err e = ERR_INIT;
	size_t room;
	unsigned char *at;
	ssize_t n;
	int r;

	if (events & EPOLLOUT && outq_flush(&b->out, w->fd) >= 0)
		want(b);
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	at = wire_room(&b->reader, &room);
	n = read(w->fd, at, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		err_set(&e, ERR_CANCELED, "the machine it ran in has ended");
		gone(b, &e);
		return;
	}
	wire_fed(&b->reader, (size_t)n);
	while ((r = wire_next(&b->reader, &f, &e)) != 0) {
		if (r < 0) {
			gone(b, &e);
			return;
		}
		if (on_frame(b, &f))
			return;
	}
	want(b);
}

/* ---- making ---- */

static int open_conn(struct server *s, const char *machine, struct inner *b, struct err *e)
{
	struct control_hello h = {.version = CONTROL_VERSION, .program = "caisson-monitor"};
	auto_fd int dir = open(s->setup->run_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[96];
	int fd;

	snprintf(name, sizeof(name), "instances/%.64s/ctl", machine);
	fd = dir < 0 ? -errno : sock_connect(dir, name);
	if (fd < 0)
		return err_set(e, ERR_CONFLICT, "the machine %.12s is not running", machine);
	if (loop_watch(&s->loop, &b->conn, fd, EPOLLIN, conn_ready) < 0) {
		fd_close(fd);
		return err_set(e, ERR_SYSTEM, "the machine cannot be watched");
	}
	return put_json(b, WIRE_HELLO, 0, &control_hello_table, &h, e);
}

static struct inner *inner_new(struct proc *p)
{
	struct inner *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	*b = (struct inner){.proc = p,
			    .conn = WATCH_INIT,
			    .reader = WIRE_READER_INIT,
			    .may_send = CONTROL_STDIN_WINDOW};
	p->work = b;
	return b;
}

static int create(struct server *s, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct inner *b = inner_new(server_main(s));
	struct plan *p;
	int r = server_plan(s, &a, &p, e);

	return r < 0 ? r : open_conn(s, p->caisson->machine, b, e);
}

/* The plan as the guest is to read it. */
static int write_plan(const struct plan *p, struct arena *a, struct buf *out, struct err *e)
{
	struct guestplan g;
	int r = guestplan_make(p, a, &g, e);

	if (r < 0)
		return r;
	g.plan.caisson->rootfs = (struct plan_rootfs){0};
	/* Not the machine's: it is one of several. */
	g.plan.linux_->cgroups_path = arena_printf(a, "/box-%s", p->caisson->id);
	g.plan.linux_->resources = p->linux_->resources;
	plan_write(&g.plan, out);
	return buf_fail(out, "plan", e);
}

static void start(struct server *s)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(WIRE_PAYLOAD_MAX);
	struct inner *b = inner_of(server_main(s));
	struct control_exec q = {.out = true, .err = true};
	struct err e = ERR_INIT;
	struct plan *p;
	int r = server_plan(s, &a, &p, &e);

	if (r == 0)
		r = write_plan(p, &a, &text, &e);
	if (r == 0) {
		q.in = p->caisson->open_stdin;
		q.process = (struct plan_process){.terminal = p->process->terminal,
						  .args = p->process->args,
						  .cwd = "/",
						  .box = p->caisson->id,
						  .box_plan = text.p};
		if (b->rows) {
			q.rows = (struct jbind_optint){true, b->rows};
			q.columns = (struct jbind_optint){true, b->columns};
		}
		r = put_json(b, WIRE_EXEC, STREAM, &control_exec_table, &q, &e);
	}
	if (r < 0)
		over(b, 0, &e);
}

static int exec(struct server *s, struct proc *p, const struct plan_process *process, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct inner *b = inner_new(p);
	struct control_exec q = {
	    .process = *process, .in = p->wants_input, .out = true, .err = true};
	struct plan *plan;
	int r = server_plan(s, &a, &plan, e);

	if (r == 0)
		r = open_conn(s, plan->caisson->machine, b, e);
	if (r < 0)
		return r;
	q.process.box = plan->caisson->id;
	return put_json(b, WIRE_EXEC, STREAM, &control_exec_table, &q, e);
}

/* ---- control ---- */

static int deliver(struct server *s, struct proc *p, int sig, struct err *e)
{
	uint32_t n = htole32((uint32_t)sig);

	put(inner_of(p), WIRE_SIGNAL, STREAM, &n, sizeof(n));
	return 0;
}

static void resize(struct server *s, struct proc *p, unsigned int rows, unsigned int columns)
{
	struct inner *b = inner_of(p);

	b->rows = rows;
	b->columns = columns;
	if (p->started)
		send_size(b);
}

static int kill_all(struct server *s, struct err *e)
{
	return deliver(s, server_main(s), SIGKILL, e);
}

static int freeze(struct server *s, bool frozen, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "a container in a machine is not paused by itself: pause the machine");
}

static int ask(struct server *s, const struct server_question *q, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "%s of a container in a machine is not possible: ask the machine",
		       q->type == WIRE_STATS	  ? "stats"
		       : q->type == WIRE_TOP	  ? "top"
		       : q->type == WIRE_SNAPSHOT ? "snapshot"
						  : "update");
}

static bool oom(struct server *s)
{
	return false;
}

static void forget(struct proc *p)
{
	struct inner *b = inner_of(p);

	if (!b)
		return;
	loop_drop(&b->conn);
	outq_done(&b->out);
	wire_reader_done(&b->reader);
	free(b);
	p->work = NULL;
}

/* Without its connection it is killed there. */
static void end(struct server *s)
{
	forget(server_main(s));
}

const struct workload_ops workload_in_ops = {
    .create = create,
    .start = start,
    .exec = exec,
    .deliver = deliver,
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
