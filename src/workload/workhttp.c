/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/workhttp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS 128
#define REQUEST 4096

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
			     "Content-Length: 43\r\nConnection: keep-alive\r\n\r\n"
			     "the same forty-three bytes for every client";

struct client {
	size_t len;
	char text[REQUEST];
};

/* One read, and an answer for each request that is whole.  False: it is gone. */
static int serve_client(int fd, struct client *c)
{
	ssize_t n = read(fd, c->text + c->len, sizeof(c->text) - 1 - c->len);
	char *end;

	if (n <= 0)
		return 0;
	c->len += (size_t)n;
	c->text[c->len] = '\0';
	while ((end = strstr(c->text, "\r\n\r\n"))) {
		size_t used = (size_t)(end + 4 - c->text);

		/* A few hundred bytes fit into any socket's buffer. */
		if (write(fd, answer, sizeof(answer) - 1) != (ssize_t)sizeof(answer) - 1)
			return 0;
		c->len -= used;
		memmove(c->text, c->text + used, c->len + 1);
	}
	return c->len < sizeof(c->text) - 1;
}

static void accept_client(int listener, struct pollfd *p, struct client *clients)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), one = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 1; i <= CLIENTS; i++)
		if (p[i].fd < 0) {
			p[i].fd = fd;
			clients[i - 1].len = 0;
			return;
		}
	close(fd);
}

static void serve(int listener)
{
	static struct client clients[CLIENTS];
	struct pollfd p[CLIENTS + 1];

	for (int i = 0; i <= CLIENTS; i++)
		p[i] = (struct pollfd){.fd = i ? -1 : listener, .events = POLLIN};
	for (;;) {
		if (poll(p, CLIENTS + 1, -1) < 0)
			continue;
		for (int i = 1; i <= CLIENTS; i++)
			if (p[i].fd >= 0 && p[i].revents &&
			    !serve_client(p[i].fd, &clients[i - 1])) {
				close(p[i].fd);
				p[i].fd = -1;
			}
		if (p[0].revents)
			accept_client(listener, p, clients);
	}
}

int workhttp_serve(uint16_t *port)
{
	static pid_t child;
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	socklen_t len = sizeof(a);
	int r = 0;

	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	child = 0;
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, CLIENTS) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) < 0)
		r = -errno;
	if (r == 0)
		child = fork();
	if (r == 0 && child < 0)
		r = -errno;
	if (r == 0 && child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
		close(STDIN_FILENO);
		close(STDOUT_FILENO);
		serve(fd);
	}
	*port = ntohs(a.sin_port);
	close(fd);
	return r;
}
