/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation: one poll loop over the guest's stream, signals, connections and the stdio of
 * every process.  States: booting (until the guest's HELLO) and created (until START was asked)
 * overlap; when both are over the greeting goes out, whose last frame makes the workload; then
 * running; then ended: the machine is killed at once and what was written is passed on.
 *
 * The guest is not trusted: a frame that breaks the protocol ends the machine.
 *
 * Invariants: 1. stream 1 is procs[0] and the workload.  2. Nothing is sent to the guest before its
 * HELLO, nothing for a process before its STARTED.  3. .out is bounded by the windows of all
 * processes plus OUT_HIGH: a client is not read from while it holds more.
 */
#include "oci/ocivmhold.h"
#include "base/auto.h"
#include "base/err.h"
#include "oci/ocivmio.h"
#include "oci/ocivmnet.h"
#include "runtime/cgroup.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/sock.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#define PROCS_MAX      128 /* as many as the guest takes */
#define CLIENTS_MAX    160
#define OUT_HIGH       (1u << 20)
#define OUT_MAX	       (64u << 20)
#define GREETING_MAX   (4u << 20)
#define DATA_MAX       (64u << 10)
#define BOOT_TIMEOUT_S 180
#define DRAIN_S	       30	   /* how long output may wait, without progress, for its reader */
#define QUESTION       0x80000000u /* streams from here up are no process's */
#define FIXED	       5 /* descriptors of the loop before those of clients and processes */

struct client {
	int fd; /* -1: free */
	bool greeted;
	int fds[3];
	struct wire_reader in;
	struct proc *proc;
};

struct proc {
	uint32_t id; /* 0: free */
	bool started, ended;
	int status;
	int terminal;	       /* for its size, of the main process only */
	struct client *client; /* NULL: nobody waits */
	struct ocivmio io;
};

struct hold {
	const struct ocivmhold *set;
	struct vm *vm;
	int signals, listener;
	struct wire_reader in;
	struct buf out;
	size_t out_off;
	bool hello, start_asked, stream_ended, other_net;
	struct client *starter; /* waits for STARTED */
	struct client *asker;	/* of the question under way, NULL: gone */
	uint32_t question;	/* its stream; 0: none is */
	uint32_t asked;		/* so many so far */
	uint64_t held_signals;	/* came between START and STARTED */
	struct client clients[CLIENTS_MAX];
	struct proc procs[PROCS_MAX];
};

/* ---- processes that stand for one in the guest ---- */

void ocivmhold_detach(int terminal)
{
	struct termios raw;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setsid();
	if (terminal < 0)
		return;
	ioctl(terminal, TIOCSCTTY, 0);
	if (tcgetattr(terminal, &raw) == 0) {
		cfmakeraw(&raw);
		tcsetattr(terminal, TCSANOW, &raw);
	}
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void ocivmhold_close_others(int *keep, size_t n)
{
	unsigned int from = 3;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			syscall(SYS_close_range, from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0u, 0);
}

_Noreturn void ocivmhold_end(int status)
{
	const struct rlimit none = {0, 0};
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t set;
	int sig = WTERMSIG(status);

	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	/* A core would be of this program. */
	setrlimit(RLIMIT_CORE, &none);
	sigaction(sig, &dfl, NULL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	kill(getpid(), sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig);
}

/* ---- sending ---- */

static size_t out_waiting(const struct hold *h)
{
	return h->out.len - h->out_off;
}

static void flush(struct hold *h)
{
	while (h->vm && out_waiting(h)) {
		ssize_t n = send(vm_fd(h->vm), h->out.p + h->out_off, out_waiting(h),
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* a broken stream is noticed by the reading side */
		h->out_off += (size_t)n;
	}
	h->out.len = h->out_off = 0;
}

static void put(struct hold *h, enum wire_type type, uint32_t stream, const void *data, size_t len)
{
	if (h->out_off > OUT_HIGH) {
		memmove(h->out.p, h->out.p + h->out_off, out_waiting(h));
		h->out.len -= h->out_off;
		h->out_off = 0;
	}
	wire_put(&h->out, type, stream, data, len);
	flush(h);
}

static void put_u32(struct hold *h, enum wire_type type, uint32_t stream, uint32_t v)
{
	v = htole32(v);
	put(h, type, stream, &v, sizeof(v));
}

/* A few small frames in the life of a connection: they always fit its buffer. */
static void tell(struct client *c, enum wire_type type, const void *data, size_t len)
{
	if (c)
		wire_send(c->fd, type, 1, data, len, NULL);
}

static void tell_u32(struct client *c, enum wire_type type, uint32_t v)
{
	v = htole32(v);
	tell(c, type, &v, sizeof(v));
}

/* ---- clients and processes ---- */

static void client_close(struct hold *h, struct client *c)
{
	for (int i = 0; i < 3; i++) {
		fd_close(c->fds[i]);
		c->fds[i] = -1;
	}
	fd_close(c->fd);
	c->fd = -1;
	wire_reader_done(&c->in);
	if (h->starter == c)
		h->starter = NULL;
	if (h->asker == c)
		h->asker = NULL;
	if (c->proc) {
		c->proc->client = NULL;
		/* Whoever stood for it was killed. */
		if (!c->proc->ended)
			put_u32(h, WIRE_SIGNAL, c->proc->id, SIGKILL);
	}
	c->proc = NULL;
}

static struct proc *main_of(struct hold *h)
{
	return &h->procs[0];
}

static struct proc *find(struct hold *h, uint32_t id)
{
	for (size_t i = 0; id && i < PROCS_MAX; i++)
		if (h->procs[i].id == id)
			return &h->procs[i];
	return NULL;
}

static struct proc *new_proc(struct hold *h)
{
	/* A number is free again when its proc is: ids are the slots. */
	for (size_t i = 1; i < PROCS_MAX; i++)
		if (!h->procs[i].id) {
			h->procs[i] = (struct proc){.id = (uint32_t)i + 1, .terminal = -1};
			return &h->procs[i];
		}
	return NULL;
}

static void proc_free(struct proc *p)
{
	ocivmio_close(&p->io);
	if (p->client)
		p->client->proc = NULL;
	p->id = 0;
}

static void proc_ended(struct proc *p, int status)
{
	p->ended = true;
	p->status = status;
}

static void send_size(struct hold *h, const struct proc *p)
{
	struct winsize w;
	unsigned char b[4];

	if (p->terminal < 0 || ioctl(p->terminal, TIOCGWINSZ, &w) < 0 || !w.ws_row)
		return;
	b[0] = (unsigned char)w.ws_row;
	b[1] = (unsigned char)(w.ws_row >> 8);
	b[2] = (unsigned char)w.ws_col;
	b[3] = (unsigned char)(w.ws_col >> 8);
	put(h, WIRE_RESIZE, p->id, b, sizeof(b));
}

/* The workload will not run, or not any longer. */
static void give_up(struct hold *h, const struct err *why, int status)
{
	if (h->starter) {
		tell(h->starter, WIRE_ERR, why, sizeof(*why));
	} else if (!main_of(h)->ended) {
		char line[600];
		int n = snprintf(line, sizeof(line), "caisson-oci: %s\n", why->msg);

		ocivmio_output(&main_of(h)->io, main_of(h)->terminal >= 0 ? 0 : 1, line, (size_t)n);
	}
	if (!main_of(h)->ended)
		proc_ended(main_of(h), status);
}

static void start_if_ready(struct hold *h)
{
	auto_buf struct buf b = BUF_INIT(GREETING_MAX);
	struct err e = ERR_INIT;

	if (!h->hello || !h->start_asked)
		return;
	if (vm_greeting(h->vm, &b, &e) < 0) {
		give_up(h, &e, 1 << 8);
		return;
	}
	buf_add(&h->out, b.p, b.len);
	flush(h);
}

static uint32_t u32_in(const struct wire_frame *f)
{
	uint32_t v;

	memcpy(&v, f->data, sizeof(v));
	return le32toh(v);
}

static void deliver(struct hold *h, uint32_t sig)
{
	if (main_of(h)->started)
		put_u32(h, WIRE_SIGNAL, 1, sig);
	else if (h->start_asked && sig >= 1 && sig <= 64)
		h->held_signals |= 1ull << (sig - 1);
	/* Else there is nobody yet; process 1 of a container ignores them in that state, too. */
}

static void started(struct hold *h, struct proc *p, uint32_t guest_pid)
{
	p->started = true;
	if (p->id != 1) {
		tell_u32(p->client, WIRE_STARTED, guest_pid);
		return;
	}
	tell_u32(h->starter, WIRE_STARTED, guest_pid);
	h->starter = NULL;
	send_size(h, p);
	for (uint32_t sig = 1; sig <= 64; sig++)
		if (h->held_signals & 1ull << (sig - 1))
			deliver(h, sig);
	h->held_signals = 0;
}

/* ---- what the guest says ---- */

static int broken(struct err *e, const struct wire_frame *f)
{
	return err_set(e, ERR_CORRUPT, "the guest agent broke the protocol: %s of %zu bytes on %u",
		       wire_type_name(f->type), f->len, f->stream);
}

static int exit_code_of(const struct err *why)
{
	return why->kind == ERR_NO_COMMAND ? 127 : why->kind == ERR_NOT_EXEC ? 126 : 1;
}

static void refused(struct hold *h, struct proc *p, const struct wire_frame *f)
{
	struct err why = ERR_INIT;

	wire_err(f, &why);
	if (p->started)
		return; /* the answer to a request that ends nothing */
	if (p->id == 1) {
		give_up(h, &why, exit_code_of(&why) << 8);
		return;
	}
	tell(p->client, WIRE_ERR, &why, sizeof(why));
	proc_free(p);
}

static int answered(struct hold *h, const struct wire_frame *f)
{
	struct err why = ERR_INIT;

	if (f->type == WIRE_ERR) {
		wire_err(f, &why);
		tell(h->asker, WIRE_ERR, &why, sizeof(why));
	} else {
		tell(h->asker, WIRE_OK, NULL, 0);
	}
	h->asker = NULL;
	h->question = 0;
	return 0;
}

static int on_frame(struct hold *h, const struct wire_frame *f, struct err *e)
{
	struct proc *p = find(h, f->stream);
	uint32_t v = 0;

	if (f->type == WIRE_HELLO && !h->hello) {
		h->hello = true;
		start_if_ready(h);
		return 0;
	}
	if (f->type == WIRE_HELLO || !h->hello)
		return broken(e, f);
	if (h->question && f->stream == h->question && (f->type == WIRE_OK || f->type == WIRE_ERR))
		return answered(h, f);
	if (f->type == WIRE_OK || !p || p->ended)
		return 0;
	if (f->len == sizeof(v))
		memcpy(&v, f->data, sizeof(v));
	v = le32toh(v);
	switch (f->type) {
	case WIRE_STARTED:
		if (p->started)
			return broken(e, f);
		started(h, p, v);
		return 0;
	case WIRE_ERR:
		refused(h, p, f);
		return 0;
	case WIRE_STDOUT:
	case WIRE_STDERR:
		if (!p->started || f->len > DATA_MAX ||
		    ocivmio_output(&p->io, f->type == WIRE_STDERR, f->data, f->len) < 0)
			return broken(e, f);
		return 0;
	case WIRE_WINDOW:
		if (v > OCIVMIO_WINDOW || p->io.may_send + v > OCIVMIO_WINDOW)
			return broken(e, f);
		p->io.may_send += v;
		return 0;
	case WIRE_OOM: /* for a record that an OCI runtime does not keep */
		return 0;
	case WIRE_EXIT:
		if (!p->started || f->len != sizeof(v))
			return broken(e, f);
		proc_ended(p, (int)(v & 0xffff));
		return 0;
	default:
		return broken(e, f);
	}
}

static void guest_ready(struct hold *h)
{
	struct err e = ERR_INIT;
	struct wire_frame f;
	size_t room;
	unsigned char *at = wire_room(&h->in, &room);
	ssize_t n = read(vm_fd(h->vm), at, room);
	int r;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* the machine's end says more than its stream's */
		h->stream_ended = true;
		return;
	}
	wire_fed(&h->in, (size_t)n);
	while (!main_of(h)->ended && (r = wire_next(&h->in, &f, &e)) != 0) {
		if (r > 0)
			r = on_frame(h, &f, &e);
		if (r < 0)
			give_up(h, &e, SIGKILL);
	}
}

static void machine_ended(struct hold *h)
{
	struct err why = ERR_INIT;

	vm_why(h->vm, &why);
	give_up(h, &why, SIGKILL);
}

/* ---- what other commands say ---- */

static void client_error(struct hold *h, struct client *c, const struct err *e)
{
	tell(c, WIRE_ERR, e, sizeof(*e));
	client_close(h, c);
}

static int want_start(struct hold *h, struct client *c, struct err *e)
{
	if (h->start_asked)
		return err_set(e, ERR_CONFLICT, "cannot start an already running container");
	h->start_asked = true;
	h->starter = c;
	start_if_ready(h);
	return 0;
}

static int want_exec(struct hold *h, struct client *c, const struct wire_frame *f, struct err *e)
{
	struct proc *p;

	if (c->proc)
		return err_set(e, ERR_CONFLICT, "this connection has its process");
	if (!main_of(h)->started || main_of(h)->ended)
		return err_set(e, ERR_CONFLICT,
			       "the virtual machine has no running instance to exec in: start it");
	p = new_proc(h);
	if (!p)
		return err_set(e, ERR_LIMIT, "more than %d processes", PROCS_MAX);
	ocivmio_open(&p->io, c->fds[0], c->fds[1], c->fds[2]);
	c->fds[0] = c->fds[1] = c->fds[2] = -1;
	p->client = c;
	c->proc = p;
	put(h, WIRE_EXEC, p->id, f->data, f->len);
	return 0;
}

/* One at a time: its answer is awaited even when nobody waits for it. */
static int want_update(struct hold *h, struct client *c, const struct wire_frame *f, struct err *e)
{
	if (!main_of(h)->started || main_of(h)->ended)
		return err_set(e, ERR_CONFLICT,
			       "the virtual machine has no running instance to change: start it");
	if (h->question)
		return err_set(e, ERR_CONFLICT, "another update is under way");
	h->asker = c;
	h->question = QUESTION + (h->asked++ & 0xffffff);
	put(h, WIRE_UPDATE, h->question, f->data, f->len);
	return 0;
}

static int on_client_frame(struct hold *h, struct client *c, const struct wire_frame *f,
			   struct err *e)
{
	switch (f->type) {
	case WIRE_START:
		return want_start(h, c, e);
	case WIRE_EXEC:
		return want_exec(h, c, f, e);
	case WIRE_UPDATE:
		return want_update(h, c, f, e);
	case WIRE_SIGNAL:
	case WIRE_RESIZE:
		if (c->proc && c->proc->started && !c->proc->ended && f->len == 4)
			put(h, f->type, c->proc->id, f->data, f->len);
		else if (!c->proc && f->type == WIRE_SIGNAL && f->len == 4)
			deliver(h, u32_in(f));
		return 0;
	default:
		return err_set(e, ERR_CORRUPT, "unexpected %s", wire_type_name(f->type));
	}
}

static ssize_t client_read(struct client *c)
{
	size_t room, n = 3;
	unsigned char *at;
	char first;

	if (!c->greeted) {
		ssize_t got = sock_recv_fds(c->fd, &first, 1, c->fds, &n);

		c->greeted = got == 1 && (n == 0 || n == 3);
		return c->greeted ? 1 : 0;
	}
	at = wire_room(&c->in, &room);
	room = (size_t)recv(c->fd, at, room, MSG_DONTWAIT);
	if ((ssize_t)room > 0)
		wire_fed(&c->in, room);
	return (ssize_t)room;
}

static void client_ready(struct hold *h, struct client *c)
{
	struct err e = ERR_INIT;
	struct wire_frame f;
	ssize_t n = client_read(c);
	int r = 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(h, c);
		return;
	}
	while (c->fd >= 0 && (r = wire_next(&c->in, &f, &e)) != 0) {
		if (r > 0)
			r = on_client_frame(h, c, &f, &e);
		if (r < 0)
			client_error(h, c, &e);
	}
}

static void accept_client(struct hold *h)
{
	int fd = accept4(h->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (h->clients[i].fd < 0) {
			h->clients[i] =
			    (struct client){.fd = fd, .fds = {-1, -1, -1}, .in = WIRE_READER_INIT};
			return;
		}
	close(fd);
}

/* ---- the loop ---- */

static void signals_ready(struct hold *h)
{
	struct signalfd_siginfo s;

	while (read(h->signals, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGWINCH && main_of(h)->terminal >= 0) {
			if (main_of(h)->started)
				send_size(h, main_of(h));
		} else if (s.ssi_signo != SIGCHLD && s.ssi_signo != SIGPIPE) {
			deliver(h, s.ssi_signo);
		}
	}
}

/* Input in, output out, grants; the end of an exec when all of it is out. */
static void proc_move(struct hold *h, struct proc *p, bool readable)
{
	static char data[DATA_MAX]; /* scratch; one thread */
	struct ocivmio *io = &p->io;
	size_t n = readable ? ocivmio_input(io, data, sizeof(data)) : 0;

	if (n)
		put(h, WIRE_STDIN, p->id, data, n);
	if (p->started && io->in_eof && !io->in_told && !p->ended) {
		io->in_told = true;
		put(h, WIRE_STDIN, p->id, NULL, 0);
	}
	ocivmio_flush(io);
	/* In larger steps: a grant per frame would double the traffic. */
	if (io->ungranted && !p->ended &&
	    (io->ungranted >= OCIVMIO_WINDOW / 4 || ocivmio_drained(io))) {
		put_u32(h, WIRE_WINDOW, p->id, io->ungranted);
		io->held -= io->ungranted;
		io->ungranted = 0;
	}
	if (p->id != 1 && p->ended && (ocivmio_drained(io) || !p->client)) {
		tell_u32(p->client, WIRE_EXIT, (uint32_t)p->status);
		proc_free(p);
	}
}

struct polled {
	struct pollfd p[FIXED + CLIENTS_MAX + 3 * PROCS_MAX];
	nfds_t n;
};

static void prepare(struct hold *h, struct polled *q)
{
	const bool room = out_waiting(h) < OUT_HIGH, live = h->vm && !main_of(h)->ended;

	q->p[0] = (struct pollfd){.fd = h->signals, .events = POLLIN};
	q->p[1] = (struct pollfd){.fd = live && !h->stream_ended ? vm_fd(h->vm) : -1,
				  .events = (short)(POLLIN | (out_waiting(h) ? POLLOUT : 0))};
	q->p[2] = (struct pollfd){.fd = live ? vm_text_fd(h->vm) : -1, .events = POLLIN};
	q->p[3] = (struct pollfd){.fd = live ? vm_pidfd(h->vm) : -1, .events = POLLIN};
	q->p[4] = (struct pollfd){.fd = live ? h->listener : -1, .events = POLLIN};
	q->n = FIXED;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		q->p[q->n++] =
		    (struct pollfd){.fd = room ? h->clients[i].fd : -1, .events = POLLIN};
	for (size_t i = 0; i < PROCS_MAX; i++, q->n += 3) {
		const struct proc *p = &h->procs[i];

		if (p->id)
			ocivmio_poll(&p->io, room && p->started && !p->ended, &q->p[q->n]);
		else
			q->p[q->n].fd = q->p[q->n + 1].fd = q->p[q->n + 2].fd = -1;
	}
}

static void dispatch(struct hold *h, const struct polled *q)
{
	const struct pollfd *p = q->p;

	if (p[1].revents & POLLOUT)
		flush(h);
	if (p[1].revents & ~POLLOUT)
		guest_ready(h);
	if (p[2].revents)
		vm_text_read(h->vm);
	/* After its stream: the last words of a machine that ended itself are there. */
	if (p[3].revents && !main_of(h)->ended && (h->stream_ended || !p[1].revents))
		machine_ended(h);
	if (p[0].revents)
		signals_ready(h);
	if (p[4].revents)
		accept_client(h);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (p[FIXED + i].fd >= 0 && p[FIXED + i].revents && h->clients[i].fd >= 0)
			client_ready(h, &h->clients[i]);
	for (size_t i = 0; i < PROCS_MAX; i++) {
		const struct pollfd *in = &p[FIXED + CLIENTS_MAX + 3 * i];

		if (h->procs[i].id)
			proc_move(h, &h->procs[i], in->fd >= 0 && in->revents);
	}
}

/* Until the workload has ended. */
static void loop(struct hold *h)
{
	static struct polled q; /* large; one thread */
	int64_t limit = trace_now_ns() + BOOT_TIMEOUT_S * 1000000000ll;

	while (!main_of(h)->ended) {
		int64_t left = h->hello ? -1 : (limit - trace_now_ns()) / 1000000;

		if (!h->hello && left <= 0) {
			struct err e = ERR_INIT;

			err_set(&e, ERR_TIMEOUT, "the guest did not come up in %d s",
				BOOT_TIMEOUT_S);
			give_up(h, &e, 1 << 8);
			return;
		}
		prepare(h, &q);
		if (poll(q.p, q.n, (int)left) > 0)
			dispatch(h, &q);
	}
}

/* What the guest wrote before its end; who waits for a process of it hears that it was killed. */
static void drain(struct hold *h)
{
	int64_t limit = trace_now_ns() + DRAIN_S * 1000000000ll;
	struct proc *m = main_of(h);

	for (size_t i = 1; i < PROCS_MAX; i++)
		if (h->procs[i].id) {
			if (!h->procs[i].ended)
				proc_ended(&h->procs[i], SIGKILL);
			ocivmio_flush(&h->procs[i].io);
			tell_u32(h->procs[i].client, WIRE_EXIT, (uint32_t)h->procs[i].status);
		}
	for (;;) {
		struct pollfd p[3];
		uint32_t before = m->io.ungranted;

		ocivmio_flush(&m->io);
		if (m->io.ungranted != before)
			limit = trace_now_ns() + DRAIN_S * 1000000000ll;
		if (ocivmio_drained(&m->io) || trace_now_ns() >= limit)
			return;
		ocivmio_poll(&m->io, false, p);
		poll(p, 3, 1000);
	}
}

/* ---- beginning ---- */

static ino_t net_number(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

static int join(struct hold *h, struct err *e)
{
	const struct ocivmhold *set = h->set;
	const ino_t before = net_number();
	auto_fd int net = -1;
	int r = set->enter ? cgroup_enter(set->cgroup, e) : 0;

	if (r < 0)
		return r;
	/* Engines configure the namespace of the state's pid: it must not be the host's. */
	if (set->net && !*set->net && unshare(CLONE_NEWNET) < 0)
		return err_sys(e, "network namespace");
	if (set->net && *set->net) {
		net = open(set->net, O_RDONLY | O_CLOEXEC);
		if (net < 0 || setns(net, CLONE_NEWNET) < 0)
			return err_sys(e, "join network namespace '%s'", set->net);
	}
	h->other_net = before && net_number() != before;
	return 0;
}

static void adjust(const struct plan *p)
{
	char text[16];

	prctl(PR_SET_NAME, "caisson-vm");
	/* QEMU's user namespace, when we are not root, is written through /proc. */
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (chdir("/") < 0)
		return;
	/* Best effort: below the present value it takes a privilege, and nothing depends on it. */
	if (p->process->oom_score_adj.set) {
		snprintf(text, sizeof(text), "%d", (int)p->process->oom_score_adj.v);
		file_put(AT_FDCWD, "/proc/self/oom_score_adj", text);
	}
}

static void take_stdio(struct hold *h)
{
	const int t = h->set->terminal;
	int fds[3];
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		fds[i] = t >= 0 && i == 2 ? -1 : fcntl(t >= 0 ? t : i, F_DUPFD_CLOEXEC, 3);
	*main_of(h) = (struct proc){.id = 1, .terminal = t};
	ocivmio_open(&main_of(h)->io, fds[0], fds[1], fds[2]);
	for (int i = 0; i < 3; i++)
		dup2(null, i);
}

static int start_machine(struct hold *h, struct err *e)
{
	const struct ocivmhold *set = h->set;
	struct vm_files files = set->files;
	int taps[OCIVMNET_MAX], r = 0;

	/* Those of the caller's own namespace are the host's: never them. */
	if (h->other_net)
		r = ocivmnet_connect(set->plan, taps, &files.tap_count, set->arena, e);
	files.taps = taps;
	if (r == 0)
		r = vm_start(set->plan, &files, &h->vm, e);
	for (size_t i = 0; i < files.tap_count; i++)
		close(taps[i]);
	return r;
}

static int begin(struct hold *h, struct err *e)
{
	const struct ocivmhold *set = h->set;
	int keep[] = {set->sync, set->listener, set->terminal};
	struct wire_reader in = WIRE_READER_INIT;
	struct wire_frame f;
	sigset_t all;
	int r = join(h, e);

	if (r < 0)
		return r;
	adjust(set->plan);
	ocivmhold_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	take_stdio(h);
	sigfillset(&all);
	h->signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (h->signals < 0)
		return err_sys(e, "signalfd");
	if (wire_send(set->sync, WIRE_OK, 0, NULL, 0, NULL) < 0 ||
	    wire_recv(set->sync, &in, &f, NULL) != 1)
		_exit(1); /* whoever wanted us is gone */
	wire_reader_done(&in);
	return start_machine(h, e);
}

_Noreturn void ocivmhold_main(const struct ocivmhold *set)
{
	static struct hold h; /* large; this process is nothing else */
	struct err e = ERR_INIT;

	h.set = set;
	h.in = WIRE_READER_INIT;
	h.out = BUF_INIT(OUT_MAX);
	h.signals = -1;
	h.listener = set->listener;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		h.clients[i].fd = -1;
	ocivmhold_detach(set->terminal);
	if (begin(&h, &e) < 0) {
		wire_send(set->sync, WIRE_ERR, 0, &e, sizeof(e), NULL);
		_exit(1);
	}
	wire_send(set->sync, WIRE_OK, 0, NULL, 0, NULL);
	close(set->sync);
	loop(&h);
	/* On tmpfs or shared: nothing in the machine needs to be written back. */
	vm_done(h.vm);
	h.vm = NULL;
	drain(&h);
	ocivmhold_end(main_of(&h)->status);
}
