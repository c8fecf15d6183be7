/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apistream.h"
#include "api/apicall.h"
#include "api/apifollow.h"
#include "api/apiroute.h"
#include "api/apiweb.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/logs.h"
#include "engine/lookup.h"
#include "engine/restart.h"
#include "engine/session.h"
#include "engine/start.h"
#include "fmt/logline.h"
#include "httpd/exchange.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#define CHUNK	     (32u << 10)
#define FRAME	     8 /* docker's: stream, three zeros, length in network order */
#define RAW_TYPE     "application/vnd.docker.raw-stream"
#define MUX_TYPE     "application/vnd.docker.multiplexed-stream"
#define HEAD_WAIT_MS 5000   /* a client on a busy machine */
#define REPLY_WAIT   120000 /* a VM boots slowly without KVM */

void apistream_size(unsigned char out[4], unsigned int rows, unsigned int columns)
{
	out[0] = (unsigned char)rows;
	out[1] = (unsigned char)(rows >> 8);
	out[2] = (unsigned char)columns;
	out[3] = (unsigned char)(columns >> 8);
}

int apistream_dir(struct session *s, struct err *e)
{
	char path[4096];
	int fd;

	if (snprintf(path, sizeof(path), "%s/api", s->run_root) >= (int)sizeof(path))
		return err_set(e, ERR_USAGE, "the run root's path is too long");
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(e, "%s", path) : fd;
}

int apistream_keys(struct apistream *p, const char *said, struct err *e)
{
	return detachkeys_parse(said && *said ? said : DETACHKEYS_DEFAULT, &p->keys, e);
}

int apistream_hijack(struct exchange *x, struct apistream *p, struct err *e)
{
	struct exchange_early early = {0};

	p->client = p->web ? apiweb_open(x, p->web, e)
			   : exchange_hijack(x, p->raw ? RAW_TYPE : MUX_TYPE, &early, e);
	p->early = early.p;
	p->early_len = early.len;
	return p->client < 0 ? p->client : 0;
}

/* ---- the pump ---- */

static void header(unsigned char out[FRAME], bool err, size_t len)
{
	uint32_t n = htobe32((uint32_t)len);

	memset(out, 0, FRAME);
	out[0] = err ? 2 : 1;
	memcpy(out + 4, &n, sizeof(n));
}

/* python's docker client reads the head through a buffer and goes on at the bare socket: what comes
 * in one piece with the head is lost to it, and `echo` is faster here than that client is.  So the
 * first bytes wait until the head was taken from the socket; for SIOCOUTQ of a unix socket see
 * unix_outq_len() (Linux 2.6.29), and nothing says so by an event.  Of TCP only the kernels speak.
 */
static void await_head(struct apistream *p)
{
	int left = 0;

	for (int i = 0; i < HEAD_WAIT_MS * 10 && ioctl(p->client, SIOCOUTQ, &left) == 0 && left;
	     i++)
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	p->head_taken = true;
}

static void output(struct apistream *p, const struct wire_frame *f)
{
	unsigned char h[FRAME];
	bool err = f->type == WIRE_STDERR;

	if (!f->len || p->client < 0 || !(err ? p->err : p->out))
		return;
	if (!p->head_taken)
		await_head(p);
	header(h, err, f->len);
	if ((!p->raw && !p->web && fd_write_all(p->client, h, sizeof(h)) < 0) ||
	    fd_write_all(p->client, f->data, f->len) < 0)
		p->gone = true;
}

static void tell_started(struct apistream *p, const struct err *why)
{
	void (*fn)(struct apistream *, const struct err *) = p->started;

	p->started = NULL;
	if (fn)
		fn(p, why);
}

static int on_frame(struct apistream *p, const struct wire_frame *f, struct err *e)
{
	uint32_t v = 0;
	int r;

	if (p->started && f->stream == p->started_stream && f->type == WIRE_STARTED) {
		tell_started(p, &ERR_INIT);
		return 0;
	}
	if (f->type == WIRE_ERR &&
	    (f->stream == p->stream || (p->started && f->stream == p->started_stream))) {
		if (p->others && !p->started)
			apifollow_pass(p->others, f);
		r = wire_err(f, e);
		tell_started(p, e);
		return r;
	}
	if (f->stream != p->stream)
		return 0;
	if (p->others && f->type != WIRE_WINDOW)
		apifollow_pass(p->others, f);
	if (f->len == sizeof(v))
		memcpy(&v, f->data, sizeof(v));
	if (f->type == WIRE_STDOUT || f->type == WIRE_STDERR)
		output(p, f);
	if (f->type == WIRE_WINDOW)
		p->window += le32toh(v);
	if (f->type == WIRE_EXIT) {
		p->status = (int)le32toh(v);
		p->exited = true;
	}
	return 0;
}

static int frames(struct apistream *p, struct err *e)
{
	struct wire_frame f;
	int r = 0;

	while (r >= 0 && !p->exited && (r = wire_next(&p->conn->reader, &f, e)) > 0)
		r = on_frame(p, &f, e);
	return r;
}

static int on_conn(struct apistream *p, struct err *e)
{
	int r = conn_read(p->conn, e);

	return r < 0 ? r : frames(p, e);
}

/* A terminal does not end with who types: docker's client leaves by its keys in this way, too. */
static int end_of_stdin(struct apistream *p, struct err *e)
{
	bool tell = p->in && p->in_open && !p->raw;

	p->in_open = false;
	return tell ? conn_send(p->conn, WIRE_STDIN, p->stream, NULL, 0, e) : 0;
}

static int on_client(struct apistream *p, struct err *e)
{
	char data[CHUNK], kept[CHUNK + DETACHKEYS_MAX];
	const char *from = data;
	/* Keys that were kept back may have to be passed on with it. */
	size_t room = (p->window < CHUNK ? p->window : CHUNK) - p->keys.at, len;
	ssize_t n;

	if (p->early_len) {
		n = (ssize_t)(p->early_len < room ? p->early_len : room);
		from = p->early;
		p->early += n;
		p->early_len -= (size_t)n;
	} else {
		n = read(p->client, data, room);
	}
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		return end_of_stdin(p, e);
	}
	/* Nobody asked for stdin: what comes is dropped, as docker does. */
	if (!p->in)
		return 0;
	len = (size_t)n;
	if (p->raw) {
		p->gone = detachkeys_scan(&p->keys, from, len, kept, &len);
		from = kept;
	}
	if (!len)
		return 0;
	p->window -= len;
	return conn_send(p->conn, WIRE_STDIN, p->stream, from, len, e);
}

static int on_size(struct apistream *p, struct err *e)
{
	struct timeval soon = {.tv_sec = 1};
	auto_fd int fd = accept4(p->sizes, NULL, NULL, SOCK_CLOEXEC);
	unsigned char b[4];

	if (fd < 0)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	if (recv(fd, b, sizeof(b), MSG_WAITALL) != sizeof(b))
		return 0;
	return conn_send(p->conn, WIRE_RESIZE, p->stream, b, sizeof(b), e);
}

static int turn(struct apistream *p, struct err *e)
{
	/* Until it runs nothing is read: stdin has nowhere to go. */
	bool in = p->in_open && p->window > p->keys.at && !p->started;
	struct pollfd fds[3 + APIFOLLOW_MAX] = {{.fd = p->conn->fd, .events = POLLIN},
						{.fd = p->client, .events = in ? POLLIN : 0},
						{.fd = p->sizes, .events = POLLIN}};
	size_t n =
	    p->others ? apifollow_poll(p->others, p->window >= APIFOLLOW_WINDOW, fds + 3) : 0;
	int r = 0;

	if (poll(fds, 3 + n, in && p->early_len ? 0 : -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	/* First: what comes from the process may be the end of one of them. */
	if (p->others && !p->started)
		r = apifollow_typed(p->others, fds + 3, p->conn->fd, &p->window, e);
	if (r == 0 && fds[0].revents)
		r = on_conn(p, e);
	if (r == 0 && fds[2].revents)
		r = on_size(p, e);
	if (r == 0 && !p->exited && in && (p->early_len || fds[1].revents & POLLIN))
		return on_client(p, e);
	/* Both directions are gone; one that only ended its stdin still listens. */
	if (!p->started && fds[1].revents & (POLLHUP | POLLERR) && !(fds[1].revents & POLLIN))
		p->gone = true;
	return r;
}

static int let_go(struct apistream *p, struct err *e)
{
	shutdown(p->client, SHUT_RDWR);
	p->client = -1;
	p->gone = false;
	p->early_len = 0;
	return end_of_stdin(p, e);
}

/* Its client has gone, and so have those it went on for. */
static bool deserted(const struct apistream *p)
{
	return p->client < 0 && !p->stay && !(p->others && p->others->n);
}

int apistream_pump(struct apistream *p, struct err *e)
{
	int r;

	p->in_open = true;
	p->window = p->window ? p->window : CONTROL_STDIN_WINDOW;
	r = frames(p, e); /* what came together with an earlier answer */
	while (r == 0 && !p->exited && !p->gone && !deserted(p)) {
		r = turn(p, e);
		if (r == 0 && p->gone && (p->stay || (p->others && p->others->n)))
			r = let_go(p, e);
	}
	if (r < 0)
		tell_started(p, e);
	return r < 0 ? r : p->exited;
}

/* ---- logs ---- */

struct logs {
	struct apicall *c;
	const struct apistream *to; /* NULL: the answer */
	bool out, err, raw, times;
};

static int line(const struct logline *l, const char *text, size_t len, void *arg)
{
	struct logs *g = arg;
	auto_buf struct buf b = BUF_INIT(8 << 20);
	unsigned char h[FRAME];

	if (!(l->err ? g->err : g->out))
		return 0;
	header(h, l->err, len + (g->times ? l->time_len + 1 : 0));
	if (!g->raw)
		buf_add(&b, h, sizeof(h));
	if (g->times) {
		buf_add(&b, l->time, l->time_len);
		buf_puts(&b, " ");
	}
	buf_add(&b, text, len);
	return g->to ? fd_write_all(g->to->client, b.p, b.len)
		     : exchange_write(g->c->x, b.p, b.len, NULL);
}

/* The connection is the client's, and what was written before is on it. */
static int hand_over(struct apicall *c, struct apistream *p, const struct instance *i,
		     struct err *e)
{
	struct logs g = {.c = c, .to = p, .out = p->out, .err = p->err, .raw = p->raw || p->web};
	struct logs_query q = {.tail = -1, .wake_fd = -1};
	int r = p->client < 0 ? apistream_hijack(c->x, p, e) : 0;

	if (r < 0 || !p->logs)
		return r;
	p->logs = false;
	await_head(p);
	return logs_read(c->s, i, &q, line, &g, e);
}

/* ---- attach ---- */

static void meeting(const char *id, char out[96])
{
	snprintf(out, 96, "attach-%.64s", id);
}

/* Whoever comes from here on finds that it runs. */
static void part(struct apistream *p)
{
	if (p->meet < 0)
		return;
	flock(p->meet_dir, LOCK_EX);
	unlinkat(p->meet_dir, p->meet_name, 0);
	fd_close(p->meet);
	flock(p->meet_dir, LOCK_UN);
	p->meet = -1;
}

/* The one who starts hears what became of it, and so do those who follow. */
static void reply(struct apistream *p, const struct err *why)
{
	struct wire_frame f = {.type = WIRE_STARTED, .stream = p->started_stream};

	part(p);
	if (why->kind == ERR_NONE)
		apifollow_pass(p->others, &f);
	else
		apifollow_say_error(p->others, p->stream, why);
	fd_write_all(p->reply, why, sizeof(*why));
	close(p->reply);
	p->reply = -1;
}

/* Somebody at the meeting: the one who starts (a connection), or one more who waits (-1). */
static int arrival(struct apistream *p)
{
	struct timeval soon = {.tv_sec = 5};
	struct apifollow_hello h;
	int fd = accept4(p->meet, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	if (recv(fd, &h, sizeof(h), MSG_WAITALL) != sizeof(h)) {
		close(fd);
		return -1;
	}
	if (h.start)
		return fd;
	apifollow_add(p->others, fd, &h);
	return -1;
}

/* Whoever leads goes on for those who follow: a start between two leaders would meet nobody. */
static void lead_without_client(struct apistream *p)
{
	shutdown(p->client, SHUT_RDWR);
	p->client = -1;
	p->in = p->out = p->err = false;
	p->early_len = 0;
}

/* Until somebody starts it (a connection) or all clients have gone (-1). */
static int wait_for_start(struct apistream *p)
{
	for (;;) {
		struct pollfd fds[2 + APIFOLLOW_MAX] = {{.fd = p->meet, .events = POLLIN},
							{.fd = p->client}};
		size_t n = apifollow_poll(p->others, false, fds + 2);
		int fd;

		if (poll(fds, 2 + n, -1) < 0 && errno != EINTR)
			return -1;
		apifollow_sweep(p->others, fds + 2);
		if (fds[1].revents & (POLLHUP | POLLERR))
			lead_without_client(p);
		fd = fds[0].revents ? arrival(p) : -1;
		if (fd >= 0 || (p->client < 0 && !p->others->n))
			return fd;
	}
}

static int lead(struct apicall *c, struct apistream *p, const struct instance *i, struct err *e)
{
	auto_apifollow struct apifollow others = {0};
	struct start_opts o = {.attach = true};
	int r;

	p->others = &others;
	p->reply = wait_for_start(p);
	if (p->reply < 0)
		return 0;
	o.in = p->in || others.in;
	o.no_out = !p->out && !others.out;
	o.no_err = !p->err && !others.err;
	p->started = reply;
	p->started_stream = 0;
	p->stream = START_STREAM;
	r = restart_begin(c->s, i, &o, p->conn, e);
	if (r < 0) {
		tell_started(p, e);
		return r;
	}
	return apistream_pump(p, e);
}

/* -EAGAIN: the first has gone before the start. */
static int follow(struct apistream *p, int first, struct err *e)
{
	struct pollfd fds[] = {{.fd = first, .events = POLLIN}, {.fd = p->client}};
	struct wire_frame f;

	p->conn->fd = first;
	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_sys(e, "poll");
		if (fds[1].revents & (POLLHUP | POLLERR))
			return 0;
	} while (!fds[0].revents);
	if (conn_next(p->conn, &f, NULL) < 0) {
		conn_close(p->conn);
		return -EAGAIN;
	}
	if (f.type == WIRE_ERR)
		return wire_err(&f, e);
	p->stream = START_STREAM;
	p->window = APIFOLLOW_WINDOW;
	return apistream_pump(p, e);
}

/* Be the first there (-1, and .meet), or the connection to who is. */
static int come_to(struct apistream *p, struct err *e)
{
	struct apifollow_hello h = {.in = p->in, .out = p->out, .err = p->err};
	int first;

	flock(p->meet_dir, LOCK_EX);
	first = sock_connect(p->meet_dir, p->meet_name);
	if (first < 0) {
		unlinkat(p->meet_dir, p->meet_name, 0);
		p->meet = sock_listen(p->meet_dir, p->meet_name, 0600);
	}
	flock(p->meet_dir, LOCK_UN);
	if (first >= 0)
		/* One that has gone meanwhile is seen when it is read from. */
		(void)fd_write_all(first, &h, sizeof(h));
	else if (p->meet < 0)
		err_set(e, ERR_SYSTEM, "attach: %s", strerror(-p->meet));
	return first;
}

static int attach_now(struct apicall *c, struct apistream *p, const struct instance *i,
		      struct err *e);

static int attach_later(struct apicall *c, struct apistream *p, const struct instance *i,
			struct err *e)
{
	auto_fd int dir = apistream_dir(c->s, e);
	char name[96];
	int r = dir < 0 ? dir : -EAGAIN;

	meeting(i->id, name);
	p->meet_dir = dir;
	p->meet_name = name;
	while (r == -EAGAIN) {
		struct lookup l;
		int first = come_to(p, e);

		if (first < 0 && p->meet < 0)
			return -EIO;
		/* Only now: who has the head may start it. */
		r = hand_over(c, p, i, e);
		if (r == 0)
			r = first < 0 ? lead(c, p, i, e) : follow(p, first, e);
		else
			fd_close(first);
		part(p);
		p->others = NULL;
		if (r == -EAGAIN && lookup_find(c->s, i->id, c->a, &l, e) < 0)
			return -ENOENT;
		if (r == -EAGAIN && l.state.status == INSTANCE_RUNNING)
			return attach_now(c, p, i, e);
	}
	return r;
}

static int attach_now(struct apicall *c, struct apistream *p, const struct instance *i,
		      struct err *e)
{
	struct control_attach at = {.in = p->in, .out = p->out, .err = p->err};
	/* As docker: a line that is written between the two is in neither, none is in both. */
	int r = p->logs ? hand_over(c, p, i, e) : 0;

	if (r == 0)
		r = conn_open(c->s, i->id, p->conn, e);
	p->stream = 1;
	if (r == 0)
		r = conn_send_json(p->conn, WIRE_ATTACH, p->stream, &control_attach_table, &at, e);
	if (r == 0)
		r = hand_over(c, p, i, e);
	return r < 0 ? r : apistream_pump(p, e);
}

static int attach(struct apicall *c, struct apiweb *web, struct err *e)
{
	auto_conn struct conn m = CONN_INIT;
	struct apistream p = {.conn = &m,
			      .web = web,
			      .in = apicall_yes(c, "stdin"),
			      .out = apicall_yes(c, "stdout"),
			      .err = apicall_yes(c, "stderr"),
			      .client = -1,
			      .meet = -1,
			      .reply = -1,
			      .sizes = -1};
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0)
		r = apistream_keys(&p, apicall_query(c, "detachKeys"), e);
	if (r < 0)
		return r;
	if (l.state.status == INSTANCE_PAUSED)
		return err_set(e, ERR_CONFLICT,
			       "container %s is paused, unpause the container "
			       "before attach",
			       l.i.name);
	p.raw = restart_has_tty(&l.i);
	p.logs = apicall_yes(c, "logs");
	if (!apicall_yes(c, "stream"))
		return hand_over(c, &p, &l.i, e);
	return l.state.status == INSTANCE_RUNNING ? attach_now(c, &p, &l.i, e)
						  : attach_later(c, &p, &l.i, e);
}

int apistream_attach(struct apicall *c, struct err *e)
{
	return attach(c, NULL, e);
}

int apistream_websocket(struct apicall *c, struct err *e)
{
	struct apiweb web = APIWEB_INIT;
	int r = apiweb_greet(c, &web, e);

	if (r <= 0)
		return r;
	r = attach(c, &web, e);
	apiweb_close(&web);
	return r;
}

int apistream_start(struct session *s, const struct instance *i, struct err *e)
{
	auto_fd int dir = apistream_dir(s, e), fd = -1;
	struct apifollow_hello hello = {.start = true};
	struct pollfd p = {.events = POLLIN};
	struct err why = ERR_INIT;
	char name[96];
	ssize_t n = 0;

	if (dir < 0)
		return dir;
	meeting(i->id, name);
	fd = p.fd = sock_connect(dir, name);
	if (fd >= 0 && fd_write_all(fd, &hello, sizeof(hello)) == 0 && poll(&p, 1, REPLY_WAIT) > 0)
		n = recv(fd, &why, sizeof(why), MSG_WAITALL);
	/* Nobody is attached, or left meanwhile. */
	if (n != sizeof(why))
		return restart_start(s, i, e);
	if (why.kind == ERR_NONE || why.kind >= ERR_KIND_MAX_)
		return 0;
	why.msg[sizeof(why.msg) - 1] = '\0';
	return err_set(e, why.kind, "%s", why.msg);
}

int apistream_logs(struct apicall *c, struct err *e)
{
	struct logs g = {.c = c,
			 .out = apicall_yes(c, "stdout"),
			 .err = apicall_yes(c, "stderr"),
			 .times = apicall_yes(c, "timestamps")};
	struct logs_query q = {.tail = -1, .follow = apicall_yes(c, "follow"), .wake_fd = -1};
	const char *tail = apicall_query(c, "tail");
	struct lookup l;
	int r = apicall_instance(c, &l, e);

	if (r == 0 && !g.out && !g.err)
		return err_set(e, ERR_USAGE, "Bad parameters: you must choose at least one stream");
	if (r == 0 && apicall_yes(c, "details"))
		return err_set(e, ERR_UNSUPPORTED, "details=1 is not there yet");
	if (r == 0 && tail && !streq(tail, "all"))
		r = apicall_number(c, "tail", -1, INT32_MAX, &q.tail, e);
	if (r == 0)
		r = apicall_time(c, "since", &q.since_ns, e);
	if (r == 0)
		r = apicall_time(c, "until", &q.until_ns, e);
	if (r < 0)
		return r;
	g.raw = restart_has_tty(&l.i);
	r = exchange_begin(c->x, 200, g.raw ? RAW_TYPE : MUX_TYPE, e);
	if (r < 0)
		return r;
	apicall_leave_with_client(c);
	return logs_read(c->s, &l.i, &q, line, &g, e);
}
