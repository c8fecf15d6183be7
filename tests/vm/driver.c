/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vm-driver PLAN KERNELS AGENT CACHE [TAP-FD...]: one virtual machine through vmm/vm.h for tests.
 *
 * Sends the greeting when the guest says hello, and from then on passes the agent's stream through
 * standard input and output unchanged; the test speaks the frames.  SIGUSR1 pauses, SIGUSR2
 * resumes.  At the end of standard input the machine is stopped.  "why: ..." on standard error when
 * the machine ended by itself.  Exit 0 after a stop that was asked for, 1 otherwise.
 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "spec/plan.h"
#include "spec/trace.h"
#include "spec/wire.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "vmm/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct driver {
	struct vm *vm;
	int signals;
	bool greeted;
	struct buf hello; /* until the first whole frame */
};

static _Noreturn void die(const struct err *e)
{
	fprintf(stderr, "vm-driver: %s: %s\n", err_kind_name((enum err_kind)e->kind), e->msg);
	exit(1);
}

static int write_blocking(int fd, const char *p, size_t len)
{
	while (len) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd w = {.fd = fd, .events = POLLOUT};

			poll(&w, 1, -1);
			continue;
		}
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The first bytes are the guest's HELLO; the answer to it is all this program says itself. */
static void greet(struct driver *d, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(4u << 20);

	if (vm_greeting(d->vm, &out, e) < 0)
		die(e);
	write_blocking(vm_fd(d->vm), out.p, out.len);
	d->greeted = true;
	fprintf(stderr, "hello\n");
}

/* 0 at the end of the stream. */
static int from_agent(struct driver *d, struct err *e)
{
	static char chunk[65536];
	ssize_t n = read(vm_fd(d->vm), chunk, sizeof(chunk));

	if (n < 0 && errno == EAGAIN)
		return 1;
	if (n <= 0)
		return 0;
	if (!d->greeted)
		greet(d, e);
	return fd_write_all(STDOUT_FILENO, chunk, (size_t)n) == 0;
}

static int from_test(struct driver *d)
{
	static char chunk[65536];
	ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

	if (n <= 0)
		return 0;
	write_blocking(vm_fd(d->vm), chunk, (size_t)n);
	return 1;
}

static void on_signal(struct driver *d, struct err *e)
{
	struct signalfd_siginfo si;

	if (read(d->signals, &si, sizeof(si)) != sizeof(si))
		return;
	if ((si.ssi_signo == SIGUSR1 ? vm_pause(d->vm, e) : vm_resume(d->vm, e)) < 0)
		die(e);
	fprintf(stderr, si.ssi_signo == SIGUSR1 ? "paused\n" : "resumed\n");
}

static int run(struct driver *d, struct err *e)
{
	bool agent = true;

	for (;;) {
		struct pollfd p[] = {
		    {.fd = agent ? vm_fd(d->vm) : -1, .events = POLLIN},
		    {.fd = d->greeted ? STDIN_FILENO : -1, .events = POLLIN},
		    {.fd = vm_text_fd(d->vm), .events = POLLIN},
		    {.fd = vm_pidfd(d->vm), .events = POLLIN},
		    {.fd = d->signals, .events = POLLIN},
		};

		if (poll(p, 5, -1) < 0)
			continue;
		if (p[4].revents)
			on_signal(d, e);
		if (p[2].revents)
			vm_text_read(d->vm);
		if (p[0].revents)
			agent = from_agent(d, e);
		else if (p[3].revents) {
			vm_why(d->vm, e);
			fprintf(stderr, "why: %s\n", e->msg);
			return 1;
		}
		if (p[1].revents && !from_test(d))
			return vm_stop(d->vm, 10000, e) < 0;
	}
}

int main(int argc, char **argv)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_free char *text = NULL;
	struct driver d = {.hello = BUF_INIT(65536)};
	struct err e = ERR_INIT;
	const char *dirs[2] = {0};
	int taps[8];
	struct plan *plan;
	sigset_t mask;
	ssize_t n;
	int r;

	if (argc < 5 || argc > 13) {
		fprintf(stderr, "usage: vm-driver PLAN KERNELS AGENT CACHE [TAP-FD...]\n");
		return 2;
	}
	trace_open(getenv("CAISSON_TRACE"));
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	d.signals = signalfd(-1, &mask, SFD_CLOEXEC);
	dirs[0] = argv[2];
	for (int i = 5; i < argc; i++)
		taps[i - 5] = (int)strtol(argv[i], NULL, 10);
	n = file_read(AT_FDCWD, argv[1], 1u << 20, &text);
	if (n < 0 || plan_parse(text, (size_t)n, argv[1], &a, &plan, &e) < 0)
		die(&e);
	r = vm_start(plan,
		     &(struct vm_files){.kernel_dirs = dirs,
					.agent = argv[3],
					.cache_dir = argv[4],
					.taps = taps,
					.tap_count = (size_t)(argc - 5)},
		     &d.vm, &e);
	if (r < 0)
		die(&e);
	r = run(&d, &e);
	vm_done(d.vm);
	return r;
}
