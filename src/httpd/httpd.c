/* SPDX-License-Identifier: Apache-2.0 */
#include "httpd/httpd.h"
#include "base/auto.h"
#include "base/err.h"
#include "httpd/connection.h"
#include "sys/fd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define CONNECTIONS	128
#define CONNECTIONS_MAX 1024
#define LISTEN_MAX	8

#define FULL_MS 100 /* when all are busy: until the next look at who waits outside */

struct child {
	pid_t pid;
	int pidfd;
	unsigned int slot; /* in waits */
	uint64_t number;   /* in the order of their coming */
};

struct server {
	const struct httpd_opts *o;
	sigset_t before;
	int signals;
	unsigned int max, n;
	struct child children[CONNECTIONS_MAX];
	unsigned char *waits; /* shared: nonzero while a connection waits for a request to begin */
	uint64_t number;
	bool full;	       /* nobody is let in before somebody has left, or FULL_MS */
	struct timespec alone; /* since when nobody is there */
};

static void child_run(struct server *s, int fd, unsigned char *waits)
{
	pid_t relay = 0;
	int plain;

	/* Whoever stops the server stops its connections, however it ended. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* A client that left is an error of a write; sendfile(2) has no flag for that. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
	/* The others' connections are not this one's to keep open. */
	close(s->signals);
	for (unsigned int i = 0; i < s->n; i++)
		close(s->children[i].pidfd);
	for (size_t i = 0; i < s->o->nlisten; i++)
		close(s->o->listen[i]);
	plain = s->o->enter ? s->o->enter(fd, s->o->arg, &relay) : fd;
	if (plain != fd)
		close(fd);
	if (plain >= 0)
		connection_serve(plain, s->o, waits);
	/* It still carries the last bytes to the client. */
	if (relay > 0) {
		close(plain);
		waitpid(relay, NULL, 0);
	}
	_exit(0);
}

static unsigned int free_slot(const struct server *s)
{
	bool taken[CONNECTIONS_MAX] = {false};
	unsigned int i = 0;

	for (unsigned int k = 0; k < s->n; k++)
		taken[s->children[k].slot] = true;
	while (taken[i])
		i++;
	return i;
}

/* Somebody is at the door and there is no room: of those who have asked nothing, or nothing more,
 * the one that has been there longest goes.  Clients that never speak keep nobody out. */
static void make_room(struct server *s)
{
	struct child *oldest = NULL;

	for (unsigned int i = 0; i < s->n; i++) {
		struct child *c = &s->children[i];

		if (s->waits[c->slot] && (!oldest || c->number < oldest->number))
			oldest = c;
	}
	/* Nobody else goes before this one has ended, or some time has passed. */
	s->full = true;
	if (!oldest)
		return;
	s->waits[oldest->slot] = 0;
	kill(oldest->pid, SIGKILL);
}

static void admit(struct server *s, int listen_fd)
{
	auto_fd int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct child *c = &s->children[s->n];
	int one = 1;

	/* Gone again, or out of descriptors: the next round tries again. */
	if (fd < 0)
		return;
	fd_set_nonblock(fd, 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->slot = free_slot(s);
	c->number = s->number++;
	s->waits[c->slot] = 0;
	c->pid = fork();
	if (c->pid == 0)
		child_run(s, fd, &s->waits[c->slot]);
	if (c->pid < 0)
		return;
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->pidfd < 0) { /* it could not be waited for */
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		return;
	}
	s->n++;
}

static void reap(struct server *s, unsigned int i)
{
	waitpid(s->children[i].pid, NULL, 0);
	close(s->children[i].pidfd);
	s->children[i] = s->children[--s->n];
	clock_gettime(CLOCK_MONOTONIC, &s->alone);
}

static int wait_ms(const struct server *s)
{
	struct timespec now;
	int64_t left;

	if (s->full)
		return FULL_MS;
	if (!s->o->leave_seconds || s->n)
		return -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	left = s->o->leave_seconds * 1000ll - (now.tv_sec - s->alone.tv_sec) * 1000ll -
	       (now.tv_nsec - s->alone.tv_nsec) / 1000000;
	return left < 0 ? 0 : (int)left;
}

/* 1 to go on, 0 to end. */
static int turn(struct server *s, struct err *e)
{
	struct pollfd p[1 + CONNECTIONS_MAX + LISTEN_MAX] = {{.fd = s->signals, .events = POLLIN}};
	unsigned int had = s->n;
	nfds_t n = 1;
	int r;

	for (unsigned int i = 0; i < had; i++)
		p[n++] = (struct pollfd){.fd = s->children[i].pidfd, .events = POLLIN};
	for (size_t i = 0; i < s->o->nlisten; i++)
		p[n++] = (struct pollfd){.fd = s->full ? -1 : s->o->listen[i], .events = POLLIN};
	r = poll(p, n, wait_ms(s));
	if (r < 0)
		return errno == EINTR ? 1 : err_sys(e, "poll");
	if (p[0].revents || (r == 0 && !s->full))
		return 0;
	s->full = false;
	/* From the end: reap() moves the last one into the gap. */
	for (unsigned int i = had; i-- > 0;)
		if (p[1 + i].revents)
			reap(s, i);
	for (size_t i = 0; i < s->o->nlisten; i++) {
		if (!p[1 + had + i].revents)
			continue;
		if (s->n < s->max)
			admit(s, s->o->listen[i]);
		else
			make_room(s);
	}
	return 1;
}

static void end_all(struct server *s)
{
	for (unsigned int i = 0; i < s->n; i++)
		kill(s->children[i].pid, SIGTERM);
	while (s->n)
		reap(s, s->n - 1);
}

int httpd_run(const struct httpd_opts *o, struct err *e)
{
	struct server *s = calloc(1, sizeof(*s));
	sigset_t mask;
	int r = 1;

	if (!s)
		abort();
	s->o = o;
	s->max = o->connections_max ? o->connections_max : CONNECTIONS;
	s->max = s->max < CONNECTIONS_MAX ? s->max : CONNECTIONS_MAX;
	clock_gettime(CLOCK_MONOTONIC, &s->alone);
	s->waits =
	    mmap(NULL, CONNECTIONS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->waits == MAP_FAILED) {
		free(s);
		return err_sys(e, "memory of connections");
	}
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigprocmask(SIG_BLOCK, &mask, &s->before);
	s->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0 || o->nlisten > LISTEN_MAX)
		r = err_sys(e, "signalfd");
	else if (o->ready)
		o->ready(o->arg);
	while (r > 0)
		r = turn(s, e);
	end_all(s);
	/* The signal that ended it is taken, not left for the mask to come back. */
	if (s->signals >= 0) {
		struct signalfd_siginfo info;

		while (read(s->signals, &info, sizeof(info)) > 0)
			;
	}
	fd_close(s->signals);
	sigprocmask(SIG_SETMASK, &s->before, NULL);
	munmap(s->waits, CONNECTIONS_MAX);
	free(s);
	return r;
}

/* ---- listening ---- */

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a;
	socklen_t len;
	bool loopback;
};

static int parse_port(const char *s, uint16_t *out)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end || n > 65535)
		return -1;
	*out = htons((uint16_t)n);
	return 0;
}

static int parse_address(const char *text, struct address *out)
{
	char host[HTTPD_ADDRESS_MAX];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint16_t port;

	*out = (struct address){0};
	if (!n || n >= sizeof(host) || parse_port(colon + 1, &port) < 0)
		return -1;
	memcpy(host, text, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		out->a.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
		out->len = sizeof(out->a.v6);
		if (inet_pton(AF_INET6, host + 1, &out->a.v6.sin6_addr) != 1)
			return -1;
		out->loopback = IN6_IS_ADDR_LOOPBACK(&out->a.v6.sin6_addr);
		return 0;
	}
	out->a.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
	out->len = sizeof(out->a.v4);
	if (inet_pton(AF_INET, host, &out->a.v4.sin_addr) != 1)
		return -1;
	out->loopback = ntohl(out->a.v4.sin_addr.s_addr) >> 24 == 127;
	return 0;
}

static void print_address(const struct address *a, char out[HTTPD_ADDRESS_MAX])
{
	char host[INET6_ADDRSTRLEN] = "";

	if (a->a.sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->a.v4.sin_addr, host, sizeof(host));
		snprintf(out, HTTPD_ADDRESS_MAX, "%s:%u", host, ntohs(a->a.v4.sin_port));
	} else {
		inet_ntop(AF_INET6, &a->a.v6.sin6_addr, host, sizeof(host));
		snprintf(out, HTTPD_ADDRESS_MAX, "[%s]:%u", host, ntohs(a->a.v6.sin6_port));
	}
}

int httpd_listen(const char *address, int loopback_only, char bound[HTTPD_ADDRESS_MAX],
		 struct err *e)
{
	auto_fd int fd = -1;
	struct address a;
	int one = 1;

	if (parse_address(address, &a) < 0)
		return err_set(e, ERR_USAGE,
			       "'%.80s' is not ADDRESS:PORT, such as 127.0.0.1:5000 or [::1]:5000",
			       address);
	if (loopback_only && !a.loopback)
		return err_set(e, ERR_USAGE,
			       "'%.80s' is not a loopback address, and whoever reaches it needs no "
			       "password",
			       address);
	fd = socket(a.a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &a.a.sa, a.len) < 0 || listen(fd, SOMAXCONN) < 0 ||
	    getsockname(fd, &a.a.sa, &a.len) < 0)
		return err_sys(e, "cannot listen on %.80s", address);
	print_address(&a, bound);
	return take_fd(&fd);
}
