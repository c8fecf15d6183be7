/* SPDX-License-Identifier: Apache-2.0 */
#include "api/apiweb.h"
#include "api/apicall.h"
#include "base/err.h"
#include "fmt/websocket.h"
#include "sys/fd.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	    (32u << 10)
#define CONTROL	    (2 + WEBSOCKET_CONTROL_MAX)
#define OUT	    (CHUNK + WEBSOCKET_HEAD_MAX + 8 * CONTROL)
#define PATIENCE_MS 10000 /* without progress, when one side has ended */

struct relay {
	int client, local; /* -1: has gone */
	struct websocket w;
	const char *in; /* from the client, not looked at yet */
	size_t in_len;
	char room[CHUNK], typed[CHUNK];
	unsigned char out[OUT];
	size_t typed_at, typed_len, out_at, out_len;
	bool said_close, heard_close, failed, hung_up;
	int64_t until; /* 0: for ever */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void hurry(struct relay *r)
{
	r->until = now_ms() + PATIENCE_MS;
}

static void say(struct relay *r, int op, const void *data, size_t len)
{
	r->out_len += websocket_head(r->out + r->out_len, op, len);
	if (len)
		memcpy(r->out + r->out_len, data, len);
	r->out_len += len;
}

static void say_close(struct relay *r, int code)
{
	unsigned char b[2] = {(unsigned char)(code >> 8), (unsigned char)code};

	if (!r->said_close)
		say(r, WEBSOCKET_CLOSE, b, sizeof(b));
	r->said_close = true;
	hurry(r);
}

static void drop_local(struct relay *r)
{
	fd_close(r->local);
	r->local = -1;
	r->typed_at = r->typed_len = 0;
}

static void on_control(struct relay *r, int op)
{
	if (op == WEBSOCKET_PING && !r->said_close)
		say(r, WEBSOCKET_PONG, r->w.control, r->w.control_len);
	if (op == WEBSOCKET_CLOSE) {
		/* The same code back; without one the plain end. */
		say_close(r, r->w.control_len ? r->w.control[0] << 8 | r->w.control[1]
					      : WEBSOCKET_NORMAL);
		r->heard_close = true;
		r->in_len = 0;
	}
}

static bool may_look(const struct relay *r)
{
	return !r->heard_close && !r->failed && !r->typed_len && OUT - r->out_len >= 2 * CONTROL;
}

/* What came: bytes for the other end, answers for the client. */
static void look(struct relay *r)
{
	while (r->in_len && may_look(r)) {
		size_t used, n;
		int op = websocket_take(&r->w, r->in, r->in_len, &used, r->typed, CHUNK, &n, NULL);

		if (op < 0) {
			say_close(r, r->w.code);
			drop_local(r);
			r->failed = true;
			break;
		}
		r->in += used;
		r->in_len -= used;
		r->typed_len = r->local < 0 ? 0 : n;
		on_control(r, op);
	}
	/* What follows a mistake is read and thrown away: unread it might reset the connection,
	 * and the word about it would be lost. */
	if (r->failed)
		r->in_len = 0;
}

static void drop_client(struct relay *r)
{
	r->client = -1;
	r->out_at = r->out_len = 0;
	hurry(r);
}

static bool again(void)
{
	return errno == EAGAIN || errno == EINTR;
}

static void read_client(struct relay *r)
{
	ssize_t n = recv(r->client, r->room, CHUNK, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && !again()))
		drop_client(r);
	if (n > 0) {
		r->in = r->room;
		r->in_len = (size_t)n;
	}
}

static void read_local(struct relay *r)
{
	char data[CHUNK];
	ssize_t n = recv(r->local, data, CHUNK, MSG_DONTWAIT);

	if (n > 0)
		say(r, WEBSOCKET_BINARY, data, (size_t)n);
	if (n < 0 && again())
		return;
	if (n <= 0) {
		say_close(r, WEBSOCKET_NORMAL);
		drop_local(r);
	}
}

/* false: whoever should take it has gone. */
static bool put(struct relay *r, int fd, const void *data, size_t *at, size_t *len)
{
	ssize_t n = send(fd, (const char *)data + *at, *len - *at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return again();
	if (n && r->until)
		hurry(r);
	*at += (size_t)n;
	if (*at == *len)
		*at = *len = 0;
	return true;
}

static bool over(const struct relay *r)
{
	bool heard_all = r->client < 0 || (r->heard_close && !r->out_len);

	return (heard_all && !r->in_len && !r->typed_len) || (r->until && now_ms() >= r->until);
}

static void turn(struct relay *r)
{
	bool want = !r->in_len && !r->heard_close && (r->failed || may_look(r));
	struct pollfd p[] = {{.fd = r->hung_up && !want ? -1 : r->client}, {.fd = -1}};
	int64_t wait = r->until ? r->until - now_ms() : -1;

	p[0].events = (short)((want ? POLLIN : 0) | (r->out_len ? POLLOUT : 0));
	p[1].events = (short)((!r->out_len && !r->said_close && r->client >= 0 ? POLLIN : 0) |
			      (r->typed_len ? POLLOUT : 0));
	/* An end that has gone says so without being asked, again and again. */
	if (p[1].events)
		p[1].fd = r->local;
	if (poll(p, 2, r->until && wait < 0 ? 0 : (int)wait) < 0)
		return;
	if (p[0].revents && r->out_len && !put(r, r->client, r->out, &r->out_at, &r->out_len))
		r->out_at = r->out_len = 0;
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR) && want)
		read_client(r);
	else if (p[0].revents & (POLLHUP | POLLERR) && !r->hung_up) {
		/* What it sent before is still to be read, when there is room. */
		r->hung_up = true;
		hurry(r);
	}
	if (p[1].revents && r->typed_len &&
	    !put(r, r->local, r->typed, &r->typed_at, &r->typed_len))
		drop_local(r);
	if (r->local >= 0 && p[1].events & POLLIN && p[1].revents & (POLLIN | POLLHUP | POLLERR))
		read_local(r);
}

/* Nothing else of the connection is open here: what others wait for the end of is not kept. */
__attribute__((noreturn)) static void run(int client, int local, const struct exchange_early *early)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r || fd_close_but(0, (int[]){client, local}, 2) < 0)
		_exit(1);
	r->client = client;
	r->local = local;
	r->in = early->p;
	r->in_len = early->len;
	while (!over(r)) {
		look(r);
		if (!over(r))
			turn(r);
	}
	shutdown(client, SHUT_RDWR);
	_exit(0);
}

int apiweb_greet(struct apicall *c, struct apiweb *w, struct err *e)
{
	struct err why = ERR_INIT;

	if (websocket_accept(&c->x->request, c->a, &w->accept, &why) == 0)
		return 1;
	exchange_field(c->x, "Sec-WebSocket-Version", "13");
	if (why.kind == ERR_UNSUPPORTED) {
		exchange_field(c->x, "Upgrade", "websocket");
		return apicall_refuse(c, 426, why.msg, e);
	}
	return apicall_refuse(c, 400, why.msg, e);
}

int apiweb_open(struct exchange *x, struct apiweb *w, struct err *e)
{
	struct exchange_early early = {0};
	int pair[2], fd;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	exchange_field(x, "Sec-WebSocket-Accept", "%s", w->accept);
	fd = exchange_hijack(x, NULL, &early, e);
	w->relay = fd < 0 ? -1 : fork();
	if (w->relay == 0)
		run(fd, pair[1], &early);
	close(pair[1]);
	if (w->relay < 0) {
		close(pair[0]);
		return fd < 0 ? fd : err_sys(e, "fork");
	}
	w->end = pair[0];
	return w->end;
}

void apiweb_close(struct apiweb *w)
{
	fd_close(w->end);
	w->end = -1;
	while (w->relay > 0 && waitpid(w->relay, NULL, 0) < 0 && errno == EINTR)
		;
	w->relay = -1;
}
