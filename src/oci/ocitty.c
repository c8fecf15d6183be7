/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ocitty.h"
#include "base/auto.h"
#include "base/err.h"
#include "runtime/launch.h"
#include "sys/fd.h"
#include "sys/sock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#define DRAIN_MS 100 /* after the process ended: how long its terminal may still have something */

static void all_signals(sigset_t *set)
{
	sigfillset(set);
	/* What tells of our own faults stays ours. */
	sigdelset(set, SIGSEGV);
	sigdelset(set, SIGBUS);
	sigdelset(set, SIGFPE);
	sigdelset(set, SIGILL);
	sigdelset(set, SIGABRT);
}

void ocitty_block_signals(void)
{
	sigset_t set;

	all_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int ocitty_send(const char *path, int console, struct err *e)
{
	static const char name[] = "/dev/ptmx";
	auto_fd int dir = -1, sock = -1;
	const char *slash = strrchr(path, '/');
	char parent[4096] = ".";
	int r;

	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
	dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	sock = dir < 0 ? -errno : sock_connect(dir, slash ? slash + 1 : path);
	r = sock < 0 ? sock : sock_send_fds(sock, name, sizeof(name) - 1, &console, 1);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "console socket '%s'", path);
	}
	return 0;
}

struct relay {
	struct termios saved;
	bool raw;
};

static void resize(int console)
{
	struct winsize ws;

	if (ioctl(0, TIOCGWINSZ, &ws) == 0)
		ioctl(console, TIOCSWINSZ, &ws);
}

static void make_raw(struct relay *t)
{
	struct termios raw;

	if (tcgetattr(0, &t->saved) < 0)
		return;
	raw = t->saved;
	cfmakeraw(&raw);
	/* The instance's terminal does not turn \n into \r\n (LAUNCH_PLAIN_NEWLINE); ours does. */
	raw.c_oflag |= OPOST | ONLCR;
	t->raw = tcsetattr(0, TCSANOW, &raw) == 0;
}

/* False at the end of from. */
static bool move(int from, int to)
{
	char b[16384];
	ssize_t n = read(from, b, sizeof(b));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	/* EIO: the last holder of the terminal's other end has closed it. */
	return n > 0 && fd_write_all(to, b, (size_t)n) == 0;
}

static void drain(int console)
{
	struct pollfd p = {.fd = console, .events = POLLIN};

	while (poll(&p, 1, DRAIN_MS) > 0 && p.revents & POLLIN && move(console, 1))
		;
}

/* Reap; true with *code when it was our process. */
static bool reap(pid_t pid, int *code)
{
	int status;
	pid_t got;

	while ((got = waitpid(-1, &status, WNOHANG)) > 0)
		if (got == pid) {
			*code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
			return true;
		}
	return false;
}

static bool on_signals(int fd, struct launch *l, int *code)
{
	struct signalfd_siginfo s;

	while (read(fd, &s, sizeof(s)) == sizeof(s)) {
		if (s.ssi_signo == SIGCHLD) {
			if (reap(l->pid, code))
				return true;
		} else if (s.ssi_signo == SIGWINCH) {
			if (l->console >= 0)
				resize(l->console);
		} else if (s.ssi_signo != SIGPIPE && s.ssi_signo != SIGURG) {
			kill(l->pid, (int)s.ssi_signo);
		}
	}
	return false;
}

int ocitty_wait(struct launch *l, struct err *e)
{
	struct relay t = {.raw = false};
	auto_fd int signals = -1;
	struct pollfd p[3];
	int code = 0;
	sigset_t set;

	all_signals(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return err_sys(e, "signalfd");
	if (l->console >= 0) {
		resize(l->console);
		make_raw(&t);
	}
	p[0] = (struct pollfd){.fd = signals, .events = POLLIN};
	p[1] = (struct pollfd){.fd = l->console, .events = POLLIN};
	p[2] = (struct pollfd){.fd = l->console >= 0 ? 0 : -1, .events = POLLIN};
	/* It may have ended before the descriptor was there. */
	while (!reap(l->pid, &code)) {
		bool ended = false;

		do {
			if (poll(p, 3, -1) < 0 && errno != EINTR)
				return err_sys(e, "poll");
			if (p[1].revents && !move(l->console, 1))
				p[1].fd = -1;
			if (p[2].revents && !move(0, l->console))
				p[2].fd = -1;
			if (p[0].revents)
				ended = on_signals(signals, l, &code);
		} while (!ended);
		break;
	}
	if (l->console >= 0)
		drain(l->console);
	if (t.raw)
		tcsetattr(0, TCSANOW, &t.saved);
	return code;
}
