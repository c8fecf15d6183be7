/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/client.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "monitor/server.h"
#include "spec/control.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void set_events(struct client *c)
{
	loop_want(&c->watch, EPOLLIN | (c->out.len ? EPOLLOUT : 0));
}

/* ---- links ---- */

static struct link *link_add(struct client *c, struct proc *p, uint32_t stream)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	*l = (struct link){.client = c,
			   .proc = p,
			   .stream = stream,
			   .next_of_proc = p->links,
			   .next_of_client = c->links};
	p->links = l;
	c->links = l;
	c->link_count++;
	return l;
}

static struct link *link_find(struct client *c, uint32_t stream)
{
	for (struct link *l = c->links; l; l = l->next_of_client)
		if (l->stream == stream)
			return l;
	return NULL;
}

void client_unlink(struct link *l)
{
	struct link **p;

	for (p = &l->proc->links; *p != l; p = &(*p)->next_of_proc)
		;
	*p = l->next_of_proc;
	for (p = &l->client->links; *p != l; p = &(*p)->next_of_client)
		;
	*p = l->next_of_client;
	l->client->link_count--;
	free(l);
}

/* Nobody writes to this process any more: what that means is docker's StdinOnce. */
static void input_gone(struct link *l)
{
	struct proc *p = l->proc;
	bool others = false;

	for (struct link *o = p->links; o; o = o->next_of_proc)
		others |= o != l && o->in;
	/* A terminal has no end of input; who detaches may come back. */
	if (!l->in || others || p->ended || !p->wants_input || p->tty ||
	    (p->number == 1 && !p->server->stdin_once))
		return;
	p->in_eof = true;
	p->server->ops->input(p);
}

/* ---- sending ---- */

static void uncongest(struct client *c)
{
	for (struct link *l = c->links; l; l = l->next_of_client)
		if (l->owner)
			server_flow(l->proc);
}

/* Not closed here: callers walk lists it is in.  The hang-up brings the loop. */
static void cut_off(struct client *c)
{
	c->doomed = true;
	outq_done(&c->out);
	shutdown(c->watch.fd, SHUT_RDWR);
}

void client_send(struct client *c, enum wire_type type, uint32_t stream, const void *data,
		 size_t len)
{
	unsigned char h[WIRE_HEADER];
	union {
		const void *in;
		void *out;
	} u = {.in = data};
	struct iovec v[2] = {{h, sizeof(h)}, {u.out, len}};
	size_t sent = 0;

	if (c->doomed)
		return;
	wire_header(h, type, stream, len);
	if (!c->out.len) {
		ssize_t n = writev(c->watch.fd, v, len ? 2 : 1);

		sent = n < 0 ? 0 : (size_t)n;
	}
	if (sent < sizeof(h))
		outq_add(&c->out, h + sent, sizeof(h) - sent);
	sent = sent > sizeof(h) ? sent - sizeof(h) : 0;
	if (len > sent)
		outq_add(&c->out, (const char *)data + sent, len - sent);
	set_events(c);
	if (c->out.len > CLIENT_QUEUE_MAX && !c->owner)
		cut_off(c);
}

void client_discard(struct server *s, const struct client *keep)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (c != keep && c->out.len)
			cut_off(c);
}

void client_send_err(struct client *c, uint32_t stream, const struct err *e)
{
	client_send(c, WIRE_ERR, stream, e, sizeof(*e));
}

/* ---- requests ---- */

static int parse(const struct jbind *t, const struct wire_frame *f, void *out, struct arena *a,
		 struct err *e)
{
	union {
		const unsigned char *in;
		const char *out;
	} u = {.in = f->data};

	return f->len ? jbind_parse(t, u.out, f->len, out, a, wire_type_name(f->type), e) : 0;
}

static int need_free_stream(struct client *c, uint32_t stream, struct err *e)
{
	if (!stream || link_find(c, stream))
		return err_set(e, ERR_USAGE, "control stream %u is in use", stream);
	if (c->link_count >= CONTROL_STREAMS_MAX)
		return err_set(e, ERR_LIMIT, "more than %d streams", CONTROL_STREAMS_MAX);
	return 0;
}

static int on_hello(struct client *c, const struct wire_frame *f, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_hello h = {0};
	int r = parse(&control_hello_table, f, &h, &a, e);

	if (r < 0)
		return r;
	if (h.version != CONTROL_VERSION)
		return err_set(e, ERR_UNSUPPORTED,
			       "this monitor speaks version %d of the control protocol, not %d",
			       CONTROL_VERSION, h.version);
	c->hello = true;
	return 0;
}

static int on_attach(struct client *c, const struct wire_frame *f, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct proc *p = server_main(c->server);
	struct control_attach q = {0};
	struct link *l;
	int r = parse(&control_attach_table, f, &q, &a, e);

	if (r == 0)
		r = need_free_stream(c, f->stream, e);
	if (r < 0)
		return r;
	if (p->ended)
		return err_set(e, ERR_CONFLICT, "the instance has ended");
	l = link_add(c, p, f->stream);
	l->in = q.in && p->wants_input;
	l->out = q.out;
	l->err = q.err;
	l->owner = c->owner = q.owner;
	teller_event(&c->server->teller, "attach", NULL, NULL);
	/* Docker lets the first attach of `run -i` decide when stdin ends. */
	if (q.owner && q.in)
		c->server->stdin_once = true;
	return 1;
}

static int on_start(struct client *c, const struct wire_frame *f, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_start q = {0};
	int r = parse(&control_start_table, f, &q, &a, e);

	if (r < 0)
		return r;
	if (!c->first || c->server->start_asked)
		return err_set(e, ERR_CONFLICT, "the instance was started already");
	c->reaper = q.reap;
	c->tied = q.tied;
	c->server->start_asked = true;
	c->server->ops->start(c->server);
	return 0;
}

static int on_exec(struct client *c, const struct wire_frame *f, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_exec q = {0};
	struct server *s = c->server;
	struct proc *p;
	struct link *l;
	int r = parse(&control_exec_table, f, &q, &a, e);

	if (r == 0)
		r = need_free_stream(c, f->stream, e);
	if (r < 0)
		return r;
	if (!s->started || s->ended)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (s->frozen)
		return err_set(e, ERR_CONFLICT, "the instance is paused");
	if (q.rows.set && q.columns.set)
		q.process.console_size = (struct plan_console){
		    .height = (uint32_t)q.rows.v & 0xffff, .width = (uint32_t)q.columns.v & 0xffff};
	p = server_new_proc(s, q.process.terminal, q.in);
	/* A container in this machine, whose monitor the client is. */
	p->tied = q.process.box_plan != NULL;
	l = link_add(c, p, f->stream);
	l->in = q.in;
	l->out = q.out;
	l->err = q.err;
	l->owner = c->owner = true;
	teller_exec(&s->teller, "exec_create", &q.process.args);
	r = s->ops->exec(s, p, &q.process, e);
	if (r == 0)
		teller_exec(&s->teller, "exec_start", &q.process.args);
	if (r < 0) {
		client_unlink(l);
		server_drop_proc(p);
	}
	return r;
}

static int on_stdin(struct link *l, const struct wire_frame *f, struct err *e)
{
	struct proc *p = l->proc;

	if (!l->in || p->ended || p->in_eof)
		return 0; /* it may have crossed the end of the process */
	if (l->in_pending + f->len > CONTROL_STDIN_WINDOW)
		return err_set(e, ERR_LIMIT, "more stdin than the window allows");
	l->in_pending += f->len;
	outq_add(&p->in, f->data, f->len);
	if (!f->len)
		p->in_eof = true;
	if (p->started)
		p->server->ops->input(p);
	return 0;
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int on_signal(struct client *c, const struct wire_frame *f, struct err *e)
{
	struct link *l = f->stream ? link_find(c, f->stream) : NULL;
	struct proc *p = l ? l->proc : server_main(c->server);
	struct err ignored = ERR_INIT;
	int r;

	if (f->len != 4 || get32(f->data) < 1 || get32(f->data) > 64)
		return err_set(e, ERR_USAGE, "malformed signal");
	if (f->stream && !l)
		return 0;
	if (!f->stream && (!p->started || p->ended))
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (!f->stream && !p->ended) {
		char text[16];

		snprintf(text, sizeof(text), "%u", get32(f->data));
		teller_event(&c->server->teller, "kill", "signal", text);
		/* As docker: its end by these is what somebody wanted. */
		if (get32(f->data) == SIGKILL || (int)get32(f->data) == c->server->stop_number)
			c->server->stop_asked = true;
	}
	r = p->ended ? 0
		     : c->server->ops->deliver(c->server, p, (int)get32(f->data),
					       f->stream ? &ignored : e);
	if (f->stream)
		return 0; /* passed on from a terminal: nobody waits for the answer */
	return r < 0 ? r : 1;
}

static int on_resize(struct client *c, const struct wire_frame *f)
{
	struct link *l = link_find(c, f->stream);

	if (l && l->proc->tty && !l->proc->ended && f->len == 4)
		c->server->ops->resize(c->server, l->proc,
				       (unsigned int)f->data[0] | (unsigned int)f->data[1] << 8,
				       (unsigned int)f->data[2] | (unsigned int)f->data[3] << 8);
	return 0;
}

/* Answered by EXIT, or at once when the process has ended. */
static int on_wait(struct client *c, const struct wire_frame *f, struct err *e)
{
	struct proc *p = server_main(c->server);
	int r = need_free_stream(c, f->stream, e);

	if (r < 0)
		return r;
	if (p->ended) {
		uint32_t status = (uint32_t)p->status;

		client_send(c, WIRE_EXIT, f->stream, &status, sizeof(status));
		return 0;
	}
	link_add(c, p, f->stream);
	return 0;
}

static int on_stop(struct client *c, const struct wire_frame *f, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct server *s = c->server;
	struct control_stop q = {.signal = s->stop_number};
	int r = parse(&control_stop_table, f, &q, &a, e);

	if (r < 0)
		return r;
	if (q.signal < 1 || q.signal > 64)
		return err_set(e, ERR_USAGE, "malformed signal");
	if (!s->started && q.discard) {
		/* It is to go while its machine still boots: the answer is the connection's end. */
		s->stop_asked = true;
		s->loop.stop = true;
		return 0;
	}
	if (!s->started)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	s->stop_asked = true;
	if (s->waiting)
		server_stay_ended(s);
	r = on_wait(c, f, e);
	if (r == 0 && q.discard) {
		s->discard = true;
		if (s->ended)
			client_discard(s, c);
	}
	if (r == 0 && !s->ended)
		r = server_stop(s, (int)q.signal,
				q.timeout_ms.set ? q.timeout_ms.v : s->stop_timeout_ms, e);
	return r;
}

static int on_freeze(struct client *c, bool frozen, struct err *e)
{
	struct server *s = c->server;
	int r;

	if (!s->started || s->ended)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (s->frozen == frozen)
		return err_set(e, ERR_CONFLICT, "the instance is %s paused",
			       frozen ? "already" : "not");
	r = s->ops->freeze(s, frozen, e);
	if (r < 0)
		return r;
	s->frozen = frozen;
	teller_event(&s->teller, frozen ? "pause" : "unpause", NULL, NULL);
	if (frozen) {
		auto_fd int fd = openat(s->run_fd, "paused", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	} else {
		unlinkat(s->run_fd, "paused", 0);
	}
	return 1;
}

static struct client *find_asker(struct server *s, const struct server_asker *who)
{
	struct client *c = s->clients;

	while (c && c->serial != who->serial)
		c = c->next;
	return c;
}

void client_answer(struct server *s, const struct server_asker *who, const void *json, size_t len)
{
	struct client *c = find_asker(s, who);

	if (c)
		client_send(c, WIRE_OK, who->stream, json, len);
}

void client_refuse(struct server *s, const struct server_asker *who, const struct err *e)
{
	struct client *c = find_asker(s, who);

	if (c)
		client_send_err(c, who->stream, e);
}

/* What is ours to change is changed here; limits are the workload's. */
static int on_update(struct server *s, struct server_question *q, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct control_update u = {0};
	int r = jbind_parse(&control_update_in_table, q->json, q->len, &u, &a, "update", e);

	if (r == 0 && u.restart)
		r = policy_parse(u.restart, &s->policy, e);
	if (r == 0 && u.name)
		teller_rename(&s->teller, u.name);
	if (r == 0 && u.resources_json) {
		q->json = u.resources_json;
		q->len = strlen(q->json);
		return s->ops->ask(s, q, e);
	}
	if (r == 0)
		client_answer(s, &q->who, NULL, 0);
	return r;
}

static int on_question(struct client *c, const struct wire_frame *f, struct err *e)
{
	union {
		const unsigned char *in;
		const char *out;
	} u = {.in = f->data};
	struct server_question q = {.type = f->type,
				    .who = {.serial = c->serial, .stream = f->stream},
				    .json = u.out,
				    .len = f->len};

	if (!c->server->started || c->server->ended)
		return err_set(e, ERR_CONFLICT, "the instance is not running");
	if (f->type == WIRE_TOP)
		teller_event(&c->server->teller, "top", NULL, NULL);
	if (f->type == WIRE_UPDATE)
		return on_update(c->server, &q, e);
	return c->server->ops->ask(c->server, &q, e);
}

/* 1: answer OK; 0: nothing to answer (now); < 0: answer ERR. */
static int dispatch(struct client *c, const struct wire_frame *f, struct err *e)
{
	struct link *l;
	int r;

	if (!c->hello && f->type != WIRE_HELLO)
		return err_set(e, ERR_USAGE, "the first frame is HELLO");
	switch (f->type) {
	case WIRE_HELLO:
		return on_hello(c, f, e);
	case WIRE_ATTACH:
		return on_attach(c, f, e);
	case WIRE_START:
		return on_start(c, f, e);
	case WIRE_EXEC:
		return on_exec(c, f, e);
	case WIRE_STDIN:
		l = link_find(c, f->stream);
		return l ? on_stdin(l, f, e) : 0;
	case WIRE_SIGNAL:
		return on_signal(c, f, e);
	case WIRE_RESIZE:
		return on_resize(c, f);
	case WIRE_WAIT:
		return on_wait(c, f, e);
	case WIRE_STOP:
		return on_stop(c, f, e);
	case WIRE_PAUSE:
	case WIRE_RESUME:
		r = on_freeze(c, f->type == WIRE_PAUSE, e);
		if (r >= 0)
			c->holds = f->type == WIRE_PAUSE && f->len;
		return r;
	case WIRE_STATS:
	case WIRE_TOP:
	case WIRE_UPDATE:
	case WIRE_SNAPSHOT:
		return on_question(c, f, e);
	default:
		return err_set(e, ERR_UNSUPPORTED, "a monitor takes no frame of type %s",
			       wire_type_name(f->type));
	}
}

/* ---- the connection ---- */

/* False: the stream is broken and the client closed. */
static bool frames(struct client *c)
{
	struct wire_frame f;
	struct err e = ERR_INIT;
	int r;

	while ((r = wire_next(&c->reader, &f, &e)) > 0) {
		/* wire_next() borrows: the stream number is kept, the bytes are not. */
		uint32_t stream = f.stream;

		r = dispatch(c, &f, &e);
		if (r > 0)
			client_send(c, WIRE_OK, stream, NULL, 0);
		else if (r < 0)
			client_send_err(c, stream, &e);
		e = ERR_INIT;
	}
	if (r == 0)
		return true;
	client_close(c);
	return false;
}

static void readable(struct client *c)
{
	struct server *s = c->server;
	size_t room;
	unsigned char *p = wire_room(&c->reader, &room);
	ssize_t n = read(c->watch.fd, p, room);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
	} else {
		wire_fed(&c->reader, (size_t)n);
		/* Between requests no buffer is kept: an idle monitor is small. */
		if (frames(c) && c->reader.have == c->reader.used)
			wire_reader_done(&c->reader);
	}
	server_settle(s);
}

static void ready(struct watch *w, uint32_t events)
{
	struct client *c = loop_owner(w, struct client, watch);
	struct server *s = c->server;

	if (events & EPOLLOUT) {
		if (outq_flush(&c->out, w->fd) < 0) {
			client_close(c);
			server_settle(s);
			return;
		}
		set_events(c);
		if (c->out.len < CLIENT_QUEUE_FULL / 2)
			uncongest(c);
		server_settle(s);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		readable(c);
}

struct client *client_new(struct server *s, int fd, bool first)
{
	struct client *c = NULL;
	struct ucred u;
	socklen_t len = sizeof(u);
	unsigned int n = 0;

	for (struct client *o = s->clients; o; o = o->next)
		n++;
	/* The socket's mode says the same; this holds also where a directory was opened up. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0 ||
	    (u.uid != geteuid() && u.uid != 0) || n >= CONTROL_CLIENTS_MAX) {
		fd_close(fd);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	*c = (struct client){
	    .server = s, .first = first, .next = s->clients, .serial = ++s->last_serial};
	if (loop_watch(&s->loop, &c->watch, fd, EPOLLIN, ready) < 0) {
		fd_close(fd);
		free(c);
		return NULL;
	}
	s->clients = c;
	return c;
}

void client_close(struct client *c)
{
	struct server *s = c->server;
	struct client **p;

	for (p = &s->clients; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	loop_drop(&c->watch);
	while (c->links) {
		struct link *l = c->links;
		struct proc *proc = l->proc;
		bool owner = l->owner;

		input_gone(l);
		client_unlink(l);
		if (proc->tied && !proc->ended && !proc->links)
			s->ops->deliver(s, proc, SIGKILL, NULL);
		/* Nobody waits for this output any more; it goes to the log, or nowhere. */
		if (owner)
			server_flow(proc);
	}
	/* It was only to stand still while this client looked at it. */
	if (c->holds && s->frozen && !s->ended)
		on_freeze(c, false, NULL);
	outq_done(&c->out);
	wire_reader_done(&c->reader);
	server_client_gone(s, c);
	free(c);
}
