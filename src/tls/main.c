/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-tls - ends TLS for one connection of `caisson serve --listen tcp://`.  Lives as long as
 * the connection; has the certificate and its key in memory, the connection, and a socket to the
 * process that answers; has not: files, other descriptors, capabilities, root's id, and system
 * calls beyond reading, writing and waiting.  Parses hostile bytes from: whoever reaches the port.
 *
 * caisson-tls CA CERT KEY [relay]: descriptor 3 is the connection, 4 the plain side; without the
 * word it only tells on stdout whether the files fit together.
 */
#include "base/err.h"
#include "sys/fd.h"
#include "tls/tlsrelay.h"
#include "unpack/jail.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

enum { NET_FD = 3, PLAIN_FD };

/* For the log. */
static void who(int fd, char *out, size_t size)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} a = {0};
	socklen_t len = sizeof(a);
	char host[INET6_ADDRSTRLEN] = "?";

	getpeername(fd, &a.sa, &len);
	if (a.sa.sa_family == AF_INET6)
		inet_ntop(AF_INET6, &a.v6.sin6_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET, &a.v4.sin_addr, host, sizeof(host));
	snprintf(out, size, "%s port %u", host, ntohs(a.v4.sin_port));
}

static void keep_alive(int fd)
{
	int on = 1, idle = 60, every = 20, times = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof(every));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
}

static int relay(SSL_CTX *ctx, int net, int plain)
{
	int keep[] = {net, plain};
	struct jail_opts jo = {.keep_fds = keep, .n_keep = 2, .dir_fd = -1, .relays = true};
	struct err e = ERR_INIT;
	char why[512] = "", client[80];

	who(net, client, sizeof(client));
	keep_alive(net);
	if (fd_set_nonblock(net, 1) < 0 || fd_set_nonblock(plain, 1) < 0)
		return 1;
	if (jail_enter(&jo, &e) < 0) {
		fprintf(stderr, "caisson-tls: %s\n", e.msg);
		return 1;
	}
	if (tlsrelay_run(ctx, net, plain, why, sizeof(why)) == 0)
		return 0;
	fprintf(stderr, "%s refused: %s\n", client, why);
	return 1;
}

int main(int argc, char **argv)
{
	char why[512] = "";
	SSL_CTX *ctx;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "caisson-tls is started by caisson serve\n");
		return 2;
	}
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	ctx = tlsrelay_context(argv[1], argv[2], argv[3], why, sizeof(why));
	if (!ctx) {
		fprintf(argc == 4 ? stdout : stderr, "%s\n", why);
		return 1;
	}
	return argc == 4 ? 0 : relay(ctx, NET_FD, PLAIN_FD);
}
