/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/exchange.h"
#include "base/err.h"
#include "base/str.h"
#include "sys/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MAX (64u << 10)
#define PIECE	   (1u << 20) /* of a file, between two looks at the clock */

static const struct {
	int status;
	const char *text;
} reasons[] = {
    {100, "Continue"},
    {101, "UPGRADED"}, /* the word that Docker's clients have always been given */
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {416, "Range Not Satisfiable"},
    {426, "Upgrade Required"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
};

static const char *reason(int status)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].text;
	return "Status";
}

static int lost(struct exchange *x, struct err *e)
{
	x->broken = true;
	return err_set(e, ERR_CANCELED, "the client went away");
}

static int await(struct exchange *x, short events, struct err *e)
{
	struct pollfd p = {.fd = x->fd, .events = events};
	int r;

	do
		r = poll(&p, 1, x->stall_ms);
	while (r < 0 && errno == EINTR);
	if (r > 0)
		return 0;
	x->broken = true;
	return err_set(e, ERR_TIMEOUT, "the client did nothing for %d s", x->stall_ms / 1000);
}

/* ---- the request's body ---- */

/* The client may wait for a word before it sends a large body (RFC 9110, 10.1.1). */
static int invite(struct exchange *x, struct err *e)
{
	static const char go[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (x->continued || !x->request.expect_continue || x->status || x->end > x->at)
		return 0;
	x->continued = true;
	if (send(x->fd, go, sizeof(go) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(go) - 1)
		return lost(x, e);
	return 0;
}

/* At least one more byte into the empty room. */
static int fill(struct exchange *x, struct err *e)
{
	ssize_t n;
	int r = invite(x, e);

	if (r < 0)
		return r;
	x->at = x->end = 0;
	do {
		r = await(x, POLLIN, e);
		if (r < 0)
			return r;
		n = recv(x->fd, x->in, EXCHANGE_ROOM, MSG_DONTWAIT);
	} while (n < 0 && (errno == EINTR || errno == EAGAIN));
	if (n <= 0)
		return lost(x, e);
	x->end = (size_t)n;
	return 0;
}

bool exchange_body_read(const struct exchange *x)
{
	if (x->piped)
		return true;
	switch (x->request.body) {
	case HTTP_BODY_CHUNKED:
		return http_chunk_over(&x->chunk);
	case HTTP_BODY_LENGTH:
		return !x->left;
	default:
		return true;
	}
}

static ssize_t take_chunked(struct exchange *x, void *data, size_t len, struct err *e)
{
	size_t used = 0;
	ssize_t n = http_chunk_take(&x->chunk, x->in + x->at, x->end - x->at, &used, data, len, e);

	if (n < 0) /* where the next request begins is not known */
		x->request.keep_alive = false;
	else
		x->at += used;
	return n;
}

static ssize_t take_plain(struct exchange *x, void *data, size_t len)
{
	size_t n = x->end - x->at < len ? x->end - x->at : len;

	n = n < x->left ? n : (size_t)x->left;
	memcpy(data, x->in + x->at, n);
	x->at += n;
	x->left -= n;
	return (ssize_t)n;
}

ssize_t exchange_read(struct exchange *x, void *data, size_t len, struct err *e)
{
	while (len && !exchange_body_read(x)) {
		ssize_t n;
		int r = x->at == x->end ? fill(x, e) : 0;

		if (r < 0)
			return r;
		n = x->request.body == HTTP_BODY_CHUNKED ? take_chunked(x, data, len, e)
							 : take_plain(x, data, len);
		if (n)
			return n;
	}
	return 0;
}

int exchange_slurp(struct exchange *x, struct buf *out, struct err *e)
{
	char piece[16384];
	ssize_t n;

	while ((n = exchange_read(x, piece, sizeof(piece), e)) > 0) {
		buf_add(out, piece, (size_t)n);
		if (out->failed)
			return buf_fail(out, "the request's body", e);
	}
	return n < 0 ? (int)n : 0;
}

/* The process that passes the body on.  Never returns. */
static void feed(struct exchange *x, int to, pid_t parent)
{
	char piece[16384];
	ssize_t n = 0;

	/* It holds the connection: who ends the connection's process ends it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	while ((n = exchange_read(x, piece, sizeof(piece), NULL)) > 0)
		/* Nobody reads on: what comes is no use, and no mistake of the client's. */
		if (fd_write_all(to, piece, (size_t)n) < 0)
			_exit(0);
	_exit(n < 0);
}

int exchange_body_pipe(struct exchange *x, pid_t *feeder, struct err *e)
{
	pid_t self = getpid();
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	*feeder = fork();
	if (*feeder == 0) {
		close(p[0]);
		feed(x, p[1], self);
	}
	close(p[1]);
	if (*feeder < 0) {
		close(p[0]);
		return err_sys(e, "fork");
	}
	/* What of the body was read ahead is the other process's now, and all that follows. */
	x->at = x->end = 0;
	x->piped = true;
	x->request.keep_alive = false;
	return p[0];
}

int exchange_body_wait(pid_t feeder, struct err *e)
{
	int status = 0;

	while (waitpid(feeder, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "wait");
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return err_set(e, ERR_CANCELED, "the request's body ends early");
	return 0;
}

/* ---- the answer ---- */

void exchange_field(struct exchange *x, const char *name, const char *fmt, ...)
{
	char *value = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&value, fmt, ap) < 0)
		abort();
	va_end(ap);
	for (char *c = value; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	buf_printf(&x->fields, "%s: %s\r\n", name, value);
	free(value);
}

static int put(struct exchange *x, struct iovec *v, int n, int flags, struct err *e)
{
	while (n) {
		struct msghdr m = {.msg_iov = v, .msg_iovlen = (size_t)n};
		ssize_t sent = sendmsg(x->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
		int r = 0;

		if (sent < 0 && errno == EAGAIN)
			r = await(x, POLLOUT, e);
		else if (sent < 0 && errno != EINTR)
			r = lost(x, e);
		if (r < 0)
			return r;
		for (; sent > 0; n--, v++) {
			size_t step = (size_t)sent < v->iov_len ? (size_t)sent : v->iov_len;

			v->iov_base = (char *)v->iov_base + step;
			v->iov_len -= step;
			sent -= (ssize_t)step;
			if (v->iov_len)
				break;
		}
		for (; n && !v->iov_len; n--)
			v++;
	}
	return 0;
}

static void date(struct exchange *x)
{
	time_t now = time(NULL);
	char text[64];
	struct tm tm;

	if (gmtime_r(&now, &tm) && strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm))
		exchange_field(x, "Date", "%s", text);
}

/* sendmsg takes it without const, and does not write there. */
static void *bytes(const void *p)
{
	union {
		const void *in;
		void *out;
	} u = {.in = p};

	return u.out;
}

/* The head, and of a body what is given; more may follow from elsewhere. */
static int put_head(struct exchange *x, int status, const char *type, const void *data, size_t len,
		    bool more, struct err *e)
{
	char first[64];
	int n = snprintf(first, sizeof(first), "HTTP/1.1 %d %s\r\n", status, reason(status));
	struct iovec v[4] = {{first, (size_t)n}};
	int r;

	x->status = status;
	if (type)
		exchange_field(x, "Content-Type", "%s", type);
	if (status != 101)
		date(x);
	if (!x->request.keep_alive && status != 101)
		exchange_field(x, "Connection", "close");
	r = buf_fail(&x->fields, "the answer's head", e);
	if (r < 0)
		return r;
	v[1] = (struct iovec){x->fields.p, x->fields.len};
	v[2] = (struct iovec){bytes("\r\n"), 2};
	v[3] = (struct iovec){bytes(data), x->bodiless ? 0 : len};
	return put(x, v, 4, more ? MSG_MORE : 0, e);
}

static int claim(struct exchange *x, struct err *e)
{
	if (x->status)
		return err_set(e, ERR_SYSTEM, "a request is answered once");
	return 0;
}

int exchange_send(struct exchange *x, int status, const char *type, const void *data, size_t len,
		  struct err *e)
{
	int r = claim(x, e);

	if (r < 0)
		return r;
	/* These have no length, not even 0 (RFC 9110, 8.6). */
	if (status != 204 && status != 304)
		exchange_field(x, "Content-Length", "%zu", len);
	x->whole = true;
	return put_head(x, status, type, data, len, false, e);
}

int exchange_send_head(struct exchange *x, int status, const char *type, uint64_t len,
		       struct err *e)
{
	int r = claim(x, e);

	if (r < 0)
		return r;
	exchange_field(x, "Content-Length", "%" PRIu64, len);
	x->whole = x->bodiless = true;
	return put_head(x, status, type, NULL, 0, false, e);
}

static int put_file(struct exchange *x, int file, uint64_t offset, uint64_t len, struct err *e)
{
	off_t at = (off_t)offset;

	while (len) {
		ssize_t n;
		int r = await(x, POLLOUT, e);

		if (r < 0)
			return r;
		n = sendfile(x->fd, file, &at, len < PIECE ? (size_t)len : PIECE);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0 && errno != EPIPE && errno != ECONNRESET)
			return err_sys(e, "cannot send a file");
		if (n <= 0)
			return n ? lost(x, e)
				 : err_set(e, ERR_CORRUPT,
					   "a file became shorter while it was sent");
		len -= (uint64_t)n;
	}
	return 0;
}

int exchange_send_file(struct exchange *x, int status, const char *type, int file, uint64_t offset,
		       uint64_t len, struct err *e)
{
	int r = claim(x, e);

	if (r < 0)
		return r;
	exchange_field(x, "Content-Length", "%" PRIu64, len);
	r = put_head(x, status, type, NULL, 0, len && !x->bodiless, e);
	if (r >= 0 && !x->bodiless)
		r = put_file(x, file, offset, len, e);
	x->whole = r >= 0;
	return r;
}

int exchange_begin(struct exchange *x, int status, const char *type, struct err *e)
{
	int r = claim(x, e);

	if (r < 0)
		return r;
	if (x->request.minor >= 1) {
		x->chunked = true;
		exchange_field(x, "Transfer-Encoding", "chunked");
	} else {
		x->request.keep_alive = false;
	}
	return put_head(x, status, type, NULL, 0, false, e);
}

int exchange_write(struct exchange *x, const void *data, size_t len, struct err *e)
{
	char size[24];
	struct iovec v[3] = {{.iov_base = size}, {bytes(data), len}, {bytes("\r\n"), 2}};

	/* An empty chunk would end the stream. */
	if (!len || x->bodiless)
		return 0;
	if (!x->chunked)
		return put(x, v + 1, 1, 0, e);
	v[0].iov_len = (size_t)snprintf(size, sizeof(size), "%zx\r\n", len);
	return put(x, v, 3, 0, e);
}

bool exchange_begun(const struct exchange *x)
{
	return x->status != 0;
}

int exchange_hijack(struct exchange *x, const char *type, struct exchange_early *early,
		    struct err *e)
{
	bool upgrade = x->request.upgrade != NULL;
	int r = claim(x, e);

	if (r < 0)
		return r;
	if (upgrade) {
		exchange_field(x, "Connection", "Upgrade");
		exchange_field(x, "Upgrade", "%s", x->request.upgrade);
	}
	x->hijacked = true;
	r = put_head(x, upgrade ? 101 : 200, type, NULL, 0, false, e);
	if (r < 0)
		return r;
	*early = (struct exchange_early){x->in + x->at, x->end - x->at};
	return x->fd;
}

int exchange_fd(const struct exchange *x)
{
	return x->fd;
}
