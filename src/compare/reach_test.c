/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "compare/reach.h"
#include "sys/cbpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOAD(member)	  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define RET(v)		  BPF_STMT(BPF_RET | BPF_K, v)
#define IF_EQ(v, yes, no) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, yes, no)

static const struct sock_filter no_mount[] = {
    LOAD(arch),
    IF_EQ(AUDIT_ARCH_X86_64, 1, 0),
    RET(SECCOMP_RET_KILL_PROCESS),
    LOAD(nr),
    IF_EQ(SYS_mount, 0, 1),
    RET(SECCOMP_RET_ERRNO | EPERM),
    RET(SECCOMP_RET_ALLOW),
};

static pid_t child_with(const struct sock_filter *f, size_t n, int times)
{
	union {
		const struct sock_filter *in;
		struct sock_filter *out;
	} u = {.in = f};
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = u.out};
	int p[2];
	char ready;
	pid_t pid;

	if (pipe(p) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		while (times--)
			if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
				_exit(1);
		if (write(p[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	if (read(p[0], &ready, 1) != 1)
		pid = -1;
	close(p[0]);
	return pid;
}

TEST(filters_of_a_running_process_are_counted)
{
	const size_t n = sizeof(no_mount) / sizeof(no_mount[0]);
	struct reach all = {0}, one = {0}, two = {0};
	struct err e = ERR_INIT;
	pid_t plain = child_with(no_mount, n, 0), a = child_with(no_mount, n, 1),
	      b = child_with(no_mount, n, 2);
	int r;

	CHECK(plain > 0 && a > 0 && b > 0);
	r = reach_of(plain, &all, &e);
	if (r == 0)
		r = reach_of(a, &one, &e);
	if (r == 0)
		r = reach_of(b, &two, &e);
	kill(plain, SIGKILL);
	kill(a, SIGKILL);
	kill(b, SIGKILL);
	while (wait(NULL) > 0)
		;
	if (e.kind == ERR_DENIED || e.kind == ERR_UNSUPPORTED)
		SKIP("needs root, or a kernel that gives filters");
	CHECK_INT(r, 0);
	CHECK(all.known > 350);
	CHECK_INT(all.filters, 0);
	CHECK_INT(all.allowed, all.known);
	CHECK_INT(one.filters, 1);
	CHECK_INT(one.allowed, one.known - 1);
	CHECK_INT(two.filters, 2);
	CHECK_INT(two.allowed, two.known - 1);
}

TEST(a_process_that_is_gone_is_said)
{
	struct reach out = {.known = 1};
	struct err e = ERR_INIT;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	CHECK(reach_of(pid, &out, &e) < 0);
	CHECK_INT(out.known, 1);
}

TEST_MAIN(T(filters_of_a_running_process_are_counted), T(a_process_that_is_gone_is_said))
