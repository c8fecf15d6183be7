/* SPDX-License-Identifier: Apache-2.0 */
#include "net/outside.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/child.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/userns.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define READY_MS   10000
#define PATH	   "/usr/bin:/usr/local/bin:/bin:/usr/sbin:/sbin"
#define RECORD	   "outside"
#define PREFIX_LEN "24"

/* ---- its record ---- */

/* When a process began, in ticks since boot (proc(5), field 22): with the pid it names one process
 * for good. */
static unsigned long long began(pid_t pid)
{
	auto_free char *text = NULL;
	unsigned long long ticks = 0;
	char path[32];
	char *p;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(AT_FDCWD, path, 4096, &text) < 0 || !(p = strrchr(text, ')')))
		return 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && sscanf(p, "%llu", &ticks) == 1 ? ticks : 0;
}

static void remember(int run_fd, pid_t pid)
{
	auto_fd int dir = openat(run_fd, "ns", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char text[64];
	int n = snprintf(text, sizeof(text), "%d %llu\n", (int)pid, began(pid));

	if (dir >= 0)
		(void)file_replace(dir, RECORD, text, (size_t)n, 0600, FILE_LAZY);
}

void outside_stop(int run_fd)
{
	auto_free char *text = NULL;
	unsigned long long ticks;
	int pid;

	if (file_read(run_fd, "ns/" RECORD, 64, &text) < 0)
		return;
	if (sscanf(text, "%d %llu", &pid, &ticks) == 2 && pid > 1 && ticks && began(pid) == ticks)
		kill(pid, SIGKILL);
	(void)unlinkat(run_fd, "ns/" RECORD, 0);
}

/* ---- starting ---- */

struct start {
	const char *program, *ns;
	int dir;  /* run-root/ns, where it starts */
	int said; /* memfd: its standard error */
	int ready[2];
	pid_t pid;
};

static int run(struct start *s, char *const argv[], int keep)
{
	char *const nothing[] = {NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	s->pid = fork();
	if (s->pid)
		return s->pid < 0 ? -errno : 0;
	/* Of nobody's session: it outlives this command, and its terminal. */
	setsid();
	/* pasta of 2023 ends with "couldn't install signal handlers" when this was ignored. */
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (fd_cloexec_from(3) < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    dup2(s->said, 2) < 0 || fchdir(s->dir) < 0)
		_exit(126);
	if (keep >= 0)
		fd_set_cloexec(keep, 0);
	execve(s->program, argv, nothing);
	_exit(127);
}

static int end_failed(struct start *s)
{
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	return -EIO;
}

/* It says "1" when the device is configured, and stays in the foreground: its pid is ours. */
static int start_slirp(struct start *s)
{
	struct pollfd p;
	char ready[32], c = 0;
	char *argv[] = {"slirp4netns",
			"--configure",
			"--mtu=65520",
			"--disable-host-loopback",
			"--enable-sandbox",
			"--enable-seccomp",
			ready,
			"--netns-type=path",
			(char *)(uintptr_t)s->ns,
			(char *)(uintptr_t)OUTSIDE_DEVICE,
			NULL};
	int r;

	if (pipe2(s->ready, O_CLOEXEC) < 0)
		return -errno;
	snprintf(ready, sizeof(ready), "--ready-fd=%d", s->ready[1]);
	r = run(s, argv, s->ready[1]);
	close(s->ready[1]);
	p = (struct pollfd){.fd = s->ready[0], .events = POLLIN};
	if (r == 0 && (poll(&p, 1, READY_MS) != 1 || read(s->ready[0], &c, 1) != 1))
		r = end_failed(s);
	close(s->ready[0]);
	return r;
}

/* It goes to the background when the device is configured, and leaves its pid in a file. */
static int start_pasta(struct start *s, int run_fd)
{
	char *argv[] = {"pasta",
			"--config-net",
			"--quiet",
			"--stderr",
			"--no-map-gw",
			"--ipv4-only",
			"--tcp-ports",
			"none",
			"--udp-ports",
			"none",
			"--tcp-ns",
			"none",
			"--udp-ns",
			"none",
			"--address",
			OUTSIDE_ADDRESS,
			"--netmask",
			PREFIX_LEN,
			"--gateway",
			OUTSIDE_GATEWAY,
			"--dns-forward",
			OUTSIDE_DNS,
			"--ns-ifname",
			OUTSIDE_DEVICE,
			"--pid",
			"outside.pid",
			"--netns",
			(char *)(uintptr_t)s->ns,
			NULL};
	auto_free char *text = NULL;
	int r, status = 0;

	r = run(s, argv, -1);
	if (r == 0)
		r = child_wait(s->pid, &status);
	if (r < 0 || status)
		return r < 0 ? r : -EIO;
	if (file_read(run_fd, "ns/outside.pid", 32, &text) < 0 || sscanf(text, "%d", &s->pid) != 1)
		return -EIO;
	(void)unlinkat(run_fd, "ns/outside.pid", 0);
	return 0;
}

/* The first line of what it said, without control characters. */
static void said(const struct start *s, char *out, size_t size)
{
	auto_free char *text = NULL;
	size_t n = 0;

	if (lseek(s->said, 0, SEEK_SET) >= 0 && fd_slurp(s->said, 65536, &text) >= 0)
		for (const char *p = text; *p && *p != '\n' && n + 1 < size; p++)
			out[n++] = (unsigned char)*p < ' ' ? ' ' : *p;
	out[n] = '\0';
}

int outside_start(int run_fd, struct err *e)
{
	static const char *const names[] = {"pasta", "slirp4netns"};
	auto_fd int dir = openat(run_fd, "ns", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char program[256], ns[48], why[2][160] = {"not installed", "not installed"};
	struct userns_holder h;

	if (dir < 0 || userns_holder_read(run_fd, &h) < 0)
		return err_set(e, ERR_CONFLICT, "the network of this user's engine is gone");
	outside_stop(run_fd);
	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", (int)h.pid);
	for (int i = 0; i < 2; i++) {
		auto_fd int text = memfd_create("outside", MFD_CLOEXEC);
		struct start s = {.program = program, .ns = ns, .dir = dir, .said = text};
		int r;

		if (child_find(names[i], PATH, program, sizeof(program)) < 0)
			continue;
		r = i == 0 ? start_pasta(&s, run_fd) : start_slirp(&s);
		if (r == 0) {
			remember(run_fd, s.pid);
			return 0;
		}
		said(&s, why[i], sizeof(why[i]));
	}
	return err_set(e, ERR_UNSUPPORTED,
		       "an ordinary user's bridge network needs pasta (package passt: %s) or "
		       "slirp4netns (%s); use --network none or --network host",
		       why[0], why[1]);
}
