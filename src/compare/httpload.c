/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/httpload.h"
#include "base/auto.h"
#include "base/err.h"
#include "spec/trace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MAX  4096
#define WAIT_NS	    10000000000
#define TIMEOUT_MS  10000
#define CONNECT_MAX 64

static const char request[] = "GET / HTTP/1.1\r\nHost: compare\r\n\r\n";

struct conn {
	size_t len;
	char text[ANSWER_MAX];
};

static int dial(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons(port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static int ask(int fd)
{
	ssize_t n = send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL);

	return n == (ssize_t)sizeof(request) - 1 ? 0 : n < 0 ? -errno : -EIO;
}

/* 1: an answer is whole.  0: more is to come. */
static int take(int fd, struct conn *c)
{
	ssize_t n = recv(fd, c->text + c->len, sizeof(c->text) - 1 - c->len, 0);
	const char *body, *length;

	if (n <= 0)
		return n < 0 ? -errno : -ECONNRESET;
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	body = strstr(c->text, "\r\n\r\n");
	if (!body)
		return c->len + 1 < sizeof(c->text) ? 0 : -EMSGSIZE;
	length = strcasestr(c->text, "\r\ncontent-length:");
	if (strncmp(c->text, "HTTP/1.1 200", 12) != 0 || !length)
		return -EPROTO;
	if (c->len < (size_t)(body + 4 - c->text) + strtoul(length + 17, NULL, 10))
		return 0;
	c->len = 0;
	return 1;
}

static int wrong(int r, struct err *e)
{
	errno = -r;
	return err_sys(e, "the published port");
}

int httpload_times(uint16_t port, double *ns, size_t n, struct err *e)
{
	auto_fd int fd = dial(port);
	struct conn c = {0};
	int r = fd < 0 ? fd : 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		int64_t t0 = trace_now_ns();

		r = ask(fd);
		while (r == 0) {
			struct pollfd p = {.fd = fd, .events = POLLIN};
			int ready = poll(&p, 1, TIMEOUT_MS);

			r = ready < 0 ? -errno : ready == 0 ? -ETIMEDOUT : take(fd, &c);
		}
		ns[i] = (double)(trace_now_ns() - t0);
		r = r == 1 ? 0 : r;
	}
	return r < 0 ? wrong(r, e) : 0;
}

int httpload_wait(uint16_t port, struct err *e)
{
	const struct timespec tick = {.tv_nsec = 20000000};
	const int64_t deadline = trace_now_ns() + WAIT_NS;
	double ns;
	int r;

	/* A machine that boots, or a forwarder that starts. */
	while ((r = httpload_times(port, &ns, 1, NULL)) < 0 && r != -EINTR &&
	       trace_now_ns() < deadline)
		nanosleep(&tick, NULL);
	return r < 0 ? wrong(r, e) : 0;
}

static int turn(struct pollfd *p, struct conn *c, unsigned int n, uint64_t *answers)
{
	int r = poll(p, n, TIMEOUT_MS);

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	r = 0;
	for (unsigned int i = 0; i < n && r == 0; i++) {
		if (!p[i].revents)
			continue;
		r = take(p[i].fd, &c[i]);
		if (r == 1) {
			++*answers;
			r = ask(p[i].fd);
		}
	}
	return r;
}

int httpload_rate(uint16_t port, unsigned int connections, int64_t for_ns, double *rate,
		  struct err *e)
{
	struct pollfd p[CONNECT_MAX];
	auto_free struct conn *c = calloc(CONNECT_MAX, sizeof(*c));
	uint64_t answers = 0;
	unsigned int n = 0;
	int64_t t0, now;
	int r = 0;

	if (!c)
		abort();
	while (r == 0 && n < connections && n < CONNECT_MAX) {
		p[n] = (struct pollfd){.fd = dial(port), .events = POLLIN};
		r = p[n].fd < 0 ? p[n].fd : ask(p[n].fd);
		n += p[n].fd >= 0;
	}
	t0 = trace_now_ns();
	do {
		if (r == 0)
			r = turn(p, c, n, &answers);
		now = trace_now_ns();
	} while (r == 0 && now - t0 < for_ns);
	for (unsigned int i = 0; i < n; i++)
		close(p[i].fd);
	if (r < 0)
		return wrong(r, e);
	*rate = (double)answers * 1e9 / (double)(now - t0);
	return 0;
}
