/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/jail.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "name this architecture's AUDIT_ARCH value"
#endif

/* Reading a blob, writing an image, memory, threads.  No open, no socket, no exec. */
static const uint16_t image_calls[] = {
    SYS_read,
    SYS_write,
    SYS_pwrite64,
    SYS_pwritev,
    SYS_pwritev2,
    SYS_lseek,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_fdatasync,
    SYS_fsync,
    SYS_sync_file_range,
    SYS_fstat,
    SYS_close,
    SYS_mremap,
    SYS_munmap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_exit,
    SYS_exit_group,
    SYS_rt_sigreturn,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_set_robust_list,
    SYS_rseq,
    SYS_gettid,
    SYS_getpid,
    SYS_tgkill,
    SYS_getrandom,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_prlimit64,
    SYS_restart_syscall,
    SYS_newfstatat,
};

/* What filling a directory takes in addition; the process sees nothing but that directory. */
static const uint16_t dir_calls[] = {
    SYS_openat,	    SYS_mkdirat,   SYS_mknodat,	  SYS_linkat,	  SYS_symlinkat, SYS_unlinkat,
    SYS_renameat2,  SYS_fchownat,  SYS_fchown,	  SYS_fchmod,	  SYS_fchmodat,	 SYS_utimensat,
    SYS_fsetxattr,  SYS_lsetxattr, SYS_fchdir,	  SYS_syncfs,	  SYS_fcntl,	 SYS_umask,
    SYS_getdents64, SYS_openat2,   SYS_fgetxattr, SYS_readlinkat,
#ifdef SYS_renameat
    SYS_renameat,
#endif
};

/* What reading one takes; opening for writing is refused. */
static const uint16_t read_calls[] = {
    SYS_getdents64, SYS_readlinkat, SYS_flistxattr, SYS_llistxattr,
    SYS_fgetxattr,  SYS_lgetxattr,  SYS_fchdir,	    SYS_fcntl,
#ifdef SYS_readlink
    SYS_readlink,
#endif
};

/* What carrying bytes between sockets takes in addition. */
static const uint16_t relay_calls[] = {
    SYS_ppoll, SYS_shutdown, SYS_recvfrom, SYS_sendto,
#ifdef SYS_poll
    SYS_poll,
#endif
};

struct filter {
	struct sock_filter code[160];
	unsigned short n;
};

static void add(struct filter *f, struct sock_filter i)
{
	f->code[f->n++] = i;
}

static void answer(struct filter *f, uint32_t what)
{
	add(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

static void load(struct filter *f, size_t off)
{
	add(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)off));
}

/* skip: how many instructions when the accumulator is not k. */
static void unless_equal(struct filter *f, uint32_t k, uint8_t skip)
{
	add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, skip));
}

/* Call nr is allowed when (argument & mask) == want; the low halves come first on both machines. */
static void allow_if(struct filter *f, uint32_t nr, int arg, uint32_t mask, uint32_t want)
{
	unless_equal(f, nr, 5);
	load(f, offsetof(struct seccomp_data, args) + 8 * (size_t)arg);
	add(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
	unless_equal(f, want, 1);
	answer(f, SECCOMP_RET_ALLOW);
	answer(f, SECCOMP_RET_ERRNO | EPERM);
}

static void allow_list(struct filter *f, const uint16_t *calls, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unless_equal(f, calls[i], 1);
		answer(f, SECCOMP_RET_ALLOW);
	}
}

static int filter_load(const struct jail_opts *o, struct err *e)
{
	bool fill = o->dir_fd >= 0 && !o->read_dir;
	struct filter f = {.n = 0};
	struct sock_fprog prog;

	load(&f, offsetof(struct seccomp_data, arch));
	unless_equal(&f, OUR_ARCH, 1);
	add(&f, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
	answer(&f, SECCOMP_RET_KILL_PROCESS);
	load(&f, offsetof(struct seccomp_data, nr));
	allow_list(&f, image_calls, sizeof(image_calls) / sizeof(image_calls[0]));
	if (fill)
		allow_list(&f, dir_calls, sizeof(dir_calls) / sizeof(dir_calls[0]));
	if (o->relays)
		allow_list(&f, relay_calls, sizeof(relay_calls) / sizeof(relay_calls[0]));
	if (o->read_dir) {
		allow_list(&f, read_calls, sizeof(read_calls) / sizeof(read_calls[0]));
		allow_if(&f, SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY);
	}
	/* Threads, not processes.  clone3 hides its flags in memory: libc falls back to clone. */
	allow_if(&f, SYS_clone, 0, CLONE_THREAD, CLONE_THREAD);
	unless_equal(&f, SYS_clone3, 1);
	answer(&f, SECCOMP_RET_ERRNO | ENOSYS);
	allow_if(&f, SYS_mmap, 2, PROT_EXEC, 0);
	allow_if(&f, SYS_mprotect, 2, PROT_EXEC, 0);
#ifdef __SANITIZE_ADDRESS__ /* its runtime calls what we never do */
	answer(&f, SECCOMP_RET_ALLOW);
#else
	answer(&f, SECCOMP_RET_ERRNO | EPERM);
#endif
	prog = (struct sock_fprog){f.n, f.code};
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return err_sys(e, "load the system call filter");
	return 0;
}

static void close_others(const struct jail_opts *o)
{
	unsigned int first = 3;

	/* The few to keep, in ascending order by repeated search; then the ranges between them. */
	for (;;) {
		unsigned int next = ~0u;

		for (size_t i = 0; i < o->n_keep; i++)
			if (o->keep_fds[i] >= (int)first && (unsigned int)o->keep_fds[i] < next)
				next = (unsigned int)o->keep_fds[i];
		if (next > first)
			syscall(SYS_close_range, first, next == ~0u ? next : next - 1, 0);
		if (next == ~0u)
			return;
		first = next + 1;
	}
}

static void limits(void)
{
	static const struct {
		int what;
		rlim_t max;
	} table[] = {
	    {RLIMIT_CORE, 0},
#ifndef __SANITIZE_ADDRESS__		  /* whose shadow is terabytes of addresses */
	    {RLIMIT_AS, (rlim_t)8 << 30}, /* twice what LIMIT_* of fmt/limits.h can add up to */
#endif
	    {RLIMIT_NOFILE, 1024}, /* a directory holds one per level while it is filled */
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)table[i].what, &r) == 0 &&
		    r.rlim_cur > table[i].max) {
			r.rlim_cur = r.rlim_max = table[i].max;
			setrlimit((__rlimit_resource_t)table[i].what, &r);
		}
	}
}

static void capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct now[2], data[2];

	/* Never more than we have: a subset of root's powers is all that a container may own. */
	if (syscall(SYS_capget, &head, now) < 0)
		return;
	for (int i = 0; i < 2; i++) {
		uint32_t mask = now[i].permitted & (uint32_t)(keep >> 32 * i);

		data[i] = (struct __user_cap_data_struct){.effective = mask, .permitted = mask};
	}
	syscall(SYS_capset, &head, data);
}

#define CAP(c) (UINT64_C(1) << (c))

static uint64_t dir_capabilities(const struct jail_opts *o)
{
	uint64_t keep = o->read_dir ? CAP(CAP_DAC_READ_SEARCH)
				    : CAP(CAP_CHOWN) | CAP(CAP_DAC_OVERRIDE) | CAP(CAP_FOWNER) |
					  CAP(CAP_FSETID) | CAP(CAP_MKNOD) | CAP(CAP_SETFCAP);

	return o->trusted_xattrs ? keep | CAP(CAP_SYS_ADMIN) : keep;
}

int jail_enter(const struct jail_opts *o, struct err *e)
{
	bool dir = o->dir_fd >= 0;

	close_others(o);
	limits();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "no_new_privs");
	/* From here on best effort by what we are allowed to; the filter at the end needs nothing
	 * and is what must hold.  /proc/self/fdinfo is a directory in which nobody can create
	 * anything. */
	if (dir ? fchdir(o->dir_fd) == 0 && chroot(".") == 0 : chroot("/proc/self/fdinfo") == 0)
		(void)!chdir("/");
	if (!dir && geteuid() == 0) {
		(void)!setgroups(0, NULL);
		(void)!setresgid(NOBODY, NOBODY, NOBODY);
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
	}
	capabilities(dir ? dir_capabilities(o) : 0);
	return filter_load(o, e);
}
