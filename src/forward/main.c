/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-forward - one instance's published ports where packets cannot be translated on the host:
 * in an ordinary user's engine.  Lives as long as the instance's monitor, which holds the other end
 * of its life line; has sockets bound on the host's network and makes others in the engine's own,
 * where it lives; has no files, no capabilities, no credentials.  Bytes pass through it, it reads
 * none.
 *
 *	caisson-forward LIFE tcp:FD:ADDRESS:PORT udp:FD:ADDRESS:PORT ...
 */
#include "base/err.h"
#include "forward/pump.h"
#include "forward/relay_tcp.h"
#include "forward/relay_udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct life {
	struct pump_source s;
	struct pump *pump;
};

/* Nobody writes there: it is the end. */
static void life_ends(struct pump_source *s, uint32_t events)
{
	pump_owner(s, struct life, s)->pump->stop = true;
}

static int jail(struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* A directory in which nobody can make anything; where it may not, there is no power to
	 * lose either. */
	if (chroot("/proc/self/fdinfo") == 0)
		(void)!chdir("/");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, none) < 0)
		return err_sys(e, "give up privileges");
	return 0;
}

static int add(struct pump *p, const char *what, struct err *e)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char proto[8], address[INET_ADDRSTRLEN];
	unsigned int port;
	int fd, r;

	if (sscanf(what, "%7[a-z]:%d:%15[0-9.]:%u", proto, &fd, address, &port) != 4 ||
	    inet_pton(AF_INET, address, &to.sin_addr) != 1 || !port || port > 65535)
		return err_set(e, ERR_USAGE, "'%.60s' is not PROTOCOL:FD:ADDRESS:PORT", what);
	to.sin_port = htons((uint16_t)port);
	if (strcmp(proto, "tcp") == 0)
		r = relay_tcp_add(p, fd, &to);
	else if (strcmp(proto, "udp") == 0)
		r = relay_udp_add(p, fd, &to);
	else
		return err_set(e, ERR_UNSUPPORTED, "cannot forward %s", proto);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "forward '%s'", what);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;
	struct pump p;
	struct life life = {.s = {-1, life_ends}, .pump = &p};
	int r;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = argc < 3 ? err_set(&e, ERR_USAGE, "wants LIFE and what to forward") : pump_init(&p);
	if (r == 0) {
		life.s.fd = (int)strtol(argv[1], NULL, 10);
		r = pump_add(&p, &life.s, EPOLLIN);
	}
	for (int i = 2; r == 0 && i < argc; i++)
		r = add(&p, argv[i], &e);
	if (r == 0)
		r = jail(&e);
	/* Who started us waits for this: from now on callers are served. */
	if (r == 0 && write(STDOUT_FILENO, "", 1) == 1) {
		close(STDOUT_FILENO);
		r = pump_run(&p);
	}
	if (r < 0)
		fprintf(stderr, "caisson-forward: %s\n", e.kind ? e.msg : strerror(-r));
	return r < 0;
}
