/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "sys/cbpf.h"

#include <errno.h>
#include <linux/audit.h>
#include <sys/syscall.h>

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

TEST(a_filter_is_run_as_the_kernel_runs_it)
{
	struct seccomp_data d = {.nr = SYS_mount, .arch = AUDIT_ARCH_X86_64};
	const size_t n = sizeof(no_mount) / sizeof(no_mount[0]);

	CHECK_INT(cbpf_run(no_mount, n, &d), SECCOMP_RET_ERRNO | EPERM);
	d.nr = SYS_read;
	CHECK_INT(cbpf_run(no_mount, n, &d), SECCOMP_RET_ALLOW);
	d.arch = AUDIT_ARCH_I386;
	CHECK_INT(cbpf_run(no_mount, n, &d), SECCOMP_RET_KILL_PROCESS);
}

TEST(arithmetic_and_memory)
{
	static const struct sock_filter f[] = {
	    BPF_STMT(BPF_LD | BPF_IMM, 5),	    BPF_STMT(BPF_ST, 3),
	    BPF_STMT(BPF_LDX | BPF_MEM, 3),	    BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
	    BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2), BPF_STMT(BPF_MISC | BPF_TAX, 0),
	    BPF_STMT(BPF_LD | BPF_IMM, 1),	    BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	    BPF_STMT(BPF_RET | BPF_A, 0),
	};
	static const struct sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 1)};
	static const struct sock_filter beyond[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64),
						    RET(SECCOMP_RET_ALLOW)};
	struct seccomp_data d = {0};

	CHECK_INT(cbpf_run(f, 9, &d), 101);
	CHECK_INT(cbpf_run(endless, 1, &d), SECCOMP_RET_KILL_PROCESS);
	CHECK_INT(cbpf_run(beyond, 2, &d), SECCOMP_RET_KILL_PROCESS);
}

TEST(argument_tests_are_followed_both_ways)
{
	static const struct sock_filter f[] = {
	    LOAD(nr),	     IF_EQ(SYS_socket, 0, 3), LOAD(args[0]),
	    IF_EQ(40, 1, 0), RET(SECCOMP_RET_ALLOW),  RET(SECCOMP_RET_ERRNO | EPERM),
	};
	const size_t n = sizeof(f) / sizeof(f[0]);

	CHECK(cbpf_reaches_allow(f, n, AUDIT_ARCH_X86_64, SYS_socket));
	CHECK(!cbpf_reaches_allow(f, n, AUDIT_ARCH_X86_64, SYS_mount));
	CHECK(cbpf_reaches_allow(no_mount, 7, AUDIT_ARCH_X86_64, SYS_read));
	CHECK(!cbpf_reaches_allow(no_mount, 7, AUDIT_ARCH_X86_64, SYS_mount));
}

TEST_MAIN(T(a_filter_is_run_as_the_kernel_runs_it), T(arithmetic_and_memory),
	  T(argument_tests_are_followed_both_ways))
