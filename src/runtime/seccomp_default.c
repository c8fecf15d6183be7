/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/seccomp_default.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "spec/plan.h"

#include <errno.h>
#include <string.h>

/* Names that this build's libseccomp or this architecture does not know are skipped by the compiler
 * of the profile, so one list serves all. */
static const char always[] =
    "accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 arm_sync_file_range bind "
    "breakpoint brk cachestat cacheflush capget capset chdir chmod chown chown32 clock_adjtime "
    "clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
    "clock_nanosleep clock_nanosleep_time64 close close_range connect copy_file_range creat dup "
    "dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
    "epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat "
    "faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 "
    "fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork "
    "fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 "
    "futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake futimesat "
    "get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid getegid32 geteuid "
    "geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpeername getpgid getpgrp getpid "
    "getppid getpriority getrandom getresgid getresgid32 getresuid getresuid32 getrlimit "
    "getrusage getsid getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
    "getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
    "io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioctl "
    "ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
    "landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listmount listxattr "
    "listxattrat llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 madvise "
    "map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat "
    "mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify mq_open "
    "mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap "
    "mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at "
    "nanosleep _newselect newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe "
    "pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv "
    "preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 "
    "pselect6_time64 ptrace pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv "
    "recv recvfrom recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat "
    "rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending "
    "rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
    "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
    "sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
    "sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
    "semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto set_robust_list "
    "set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid "
    "setgid32 setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid "
    "setresgid32 setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid "
    "setuid32 setxattr setxattrat shmat shmctl shmdt shmget shutdown sigaltstack signalfd "
    "signalfd4 sigprocmask sigreturn socket socketpair splice stat stat64 statfs statfs64 "
    "statmount statx symlink symlinkat sync sync_file_range sync_file_range2 syncfs sysinfo tee "
    "tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
    "timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
    "timerfd_settime timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname "
    "unlink unlinkat uretprobe utime utimensat utimensat_time64 utimes vfork vmsplice wait4 "
    "waitid waitpid write writev";

static const struct {
	const char *cap, *names;
} by_cap[] = {
    {"CAP_BPF", "bpf"},
    {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
    {"CAP_PERFMON", "perf_event_open"},
    {"CAP_SYS_ADMIN",
     "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
     "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
     "sethostname setns syslog umount umount2 unshare"},
    {"CAP_SYS_BOOT", "reboot"},
    {"CAP_SYS_CHROOT", "chroot"},
    {"CAP_SYS_MODULE", "delete_module finit_module init_module"},
    {"CAP_SYS_NICE", "get_mempolicy mbind set_mempolicy set_mempolicy_home_node"},
    {"CAP_SYS_PACCT", "acct"},
    {"CAP_SYS_PTRACE", "kcmp pidfd_getfd process_madvise"},
    {"CAP_SYS_RAWIO", "ioperm iopl"},
    {"CAP_SYS_TIME", "clock_settime clock_settime64 settimeofday stime"},
    {"CAP_SYS_TTY_CONFIG", "vhangup"},
    {"CAP_SYSLOG", "syslog"},
};

/* AF_VSOCK reaches the hypervisor past every network rule; AF_ALG is a kernel parser of keys with a
 * long list of holes.  32-bit x86 can also make sockets through socketcall(2), whose arguments lie
 * in memory where a filter cannot look, so its call 1 (SYS_SOCKET) does not exist here; the others
 * work on sockets that were made otherwise and pass.  Since Linux 4.3 the direct call is there:
 * musl uses it, but a 32-bit glibc built for older kernels (Debian's) then has no sockets except
 * socketpair(); docs/seccomp.md says so.  TIOCSTI and TIOCLINUX push input into the terminal of
 * whoever started us. */
const struct seccomp_denied seccomp_default_denied[] = {
    {.name = "socket", .by_arg = true, .arg = 0, .value = 40 /* AF_VSOCK */, .error = EPERM},
    {.name = "socket", .by_arg = true, .arg = 0, .value = 38 /* AF_ALG */, .error = EPERM},
    {.name = "socketcall", .by_arg = true, .arg = 0, .value = 1, .error = ENOSYS},
    {.name = "ioctl", .by_arg = true, .arg = 1, .value = 0x5412 /* TIOCSTI */, .error = EPERM},
    {.name = "ioctl", .by_arg = true, .arg = 1, .value = 0x541c /* TIOCLINUX */, .error = EPERM},
};
const unsigned int seccomp_default_denied_n =
    sizeof(seccomp_default_denied) / sizeof(seccomp_default_denied[0]);

#define CUBES_MAX 256 /* rules that say which arguments are not denied: 32 a value at most */
#define RULES_MAX (sizeof(by_cap) / sizeof(by_cap[0]) + 16 + CUBES_MAX)

static bool has(const struct strs *caps, const char *name)
{
	for (size_t i = 0; i < caps->n; i++)
		if (streq(caps->v[i], name))
			return true;
	return false;
}

static struct plan_seccomp_rule *add(struct plan_seccomp *s, const char *names, const char *action,
				     struct arena *a)
{
	struct plan_seccomp_rule *r = &s->syscalls.v[s->syscalls.n++];

	r->action = action;
	while (*names) {
		size_t n = strcspn(names, " ");

		arena_strs_add(a, &r->names, arena_dupn(a, names, n));
		names += n + (names[n] == ' ');
	}
	return r;
}

static void condition(struct plan_seccomp_rule *r, uint64_t value, uint64_t two, const char *op,
		      struct arena *a)
{
	r->args.v = arena_array(a, 1, sizeof(*r->args.v));
	r->args.n = 1;
	r->args.v[0] = (struct plan_seccomp_arg){.value = value, .value_two = two, .op = op};
}

/* Without CAP_SYS_ADMIN: threads and forks, but no new namespace.  clone3 hides its flags in
 * memory, so it does not exist (glibc then uses clone); its argument bit of CLONE_NEWTIME lies in
 * the exit signal's byte of clone and means nothing there. */
static void add_clone(struct plan_seccomp *s, struct arena *a)
{
	const uint64_t new_namespaces = 0x7e020000;

	condition(add(s, "clone", "SCMP_ACT_ALLOW", a), new_namespaces, 0, "SCMP_CMP_MASKED_EQ", a);
	add(s, "clone3", "SCMP_ACT_ERRNO", a)->errno_ret =
	    (struct jbind_optint){.set = true, .v = ENOSYS};
}

const struct plan_seccomp *seccomp_default_profile(const struct strs *caps, struct arena *a)
{
	/* PER_LINUX, PER_LINUX32, UNAME26 of both, and "tell me": others change the memory layout.
	 */
	static const uint64_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};
	struct plan_seccomp *s = arena_alloc(a, sizeof(*s));

	s->default_action = "SCMP_ACT_ERRNO";
	s->default_errno_ret = (struct jbind_optint){.set = true, .v = EPERM};
	s->syscalls.v = arena_array(a, RULES_MAX, sizeof(*s->syscalls.v));
	add(s, always, "SCMP_ACT_ALLOW", a);
	for (size_t i = 0; i < sizeof(personalities) / sizeof(personalities[0]); i++)
		condition(add(s, "personality", "SCMP_ACT_ALLOW", a), personalities[i], 0,
			  "SCMP_CMP_EQ", a);
	for (size_t i = 0; i < sizeof(by_cap) / sizeof(by_cap[0]); i++)
		if (has(caps, by_cap[i].cap))
			add(s, by_cap[i].names, "SCMP_ACT_ALLOW", a);
	if (!has(caps, "CAP_SYS_ADMIN"))
		add_clone(s, a);
#if defined(__x86_64__)
	for (const char *const *n =
		 (const char *const[]){"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32", NULL};
	     *n; n++)
		arena_strs_add(a, &s->architectures, *n);
#elif defined(__aarch64__)
	arena_strs_add(a, &s->architectures, "SCMP_ARCH_AARCH64");
	arena_strs_add(a, &s->architectures, "SCMP_ARCH_ARM");
#endif
	return s;
}

/* ---- the same for other engines ---- */

/* Say with comparisons that can only allow what `denied` says by refusing: every value of an int
 * that is not in the list, as the fewest (mask, value) pairs.  mask fixes the bits above `bit`. */
static void allow_others(struct plan_seccomp *s, const char *name, uint32_t mask, uint32_t value,
			 int bit, struct arena *a)
{
	struct plan_seccomp_rule *r;
	bool inside = false;
	uint32_t arg = 0;

	for (unsigned int i = 0; i < seccomp_default_denied_n; i++) {
		const struct seccomp_denied *d = &seccomp_default_denied[i];

		if (!streq(d->name, name))
			continue;
		arg = d->arg;
		inside = inside || (d->value & mask) == value;
	}
	if (inside && bit >= 0) {
		allow_others(s, name, mask | 1u << bit, value, bit - 1, a);
		allow_others(s, name, mask | 1u << bit, value | 1u << bit, bit - 1, a);
	}
	if (inside)
		return;
	r = add(s, name, "SCMP_ACT_ALLOW", a);
	condition(r, mask, value, "SCMP_CMP_MASKED_EQ", a);
	r->args.v[0].index = arg;
}

static void drop_name(struct strs *l, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (!streq(l->v[i], name))
			l->v[n++] = l->v[i];
	l->n = n;
}

void seccomp_default_write(const struct strs *caps, struct buf *out)
{
	struct arena a = ARENA_INIT;
	const struct plan_seccomp *made = seccomp_default_profile(caps, &a);
	struct plan_seccomp s = *made;

	/* socketcall has no arguments that a profile could compare: see the header. */
	for (unsigned int i = 0; i < seccomp_default_denied_n; i++) {
		const char *name = seccomp_default_denied[i].name;

		if (streq(name, "socketcall") ||
		    (i > 0 && streq(name, seccomp_default_denied[i - 1].name)))
			continue;
		drop_name(&s.syscalls.v[0].names, name);
		allow_others(&s, name, 0, 0, 31, &a);
	}
	jbind_write(&plan_seccomp_table, &s, out);
	arena_free(&a);
}
