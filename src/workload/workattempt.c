/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/workattempt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

struct target {
	pid_t pid;
	const char *file;
};

static int of(long r)
{
	return r < 0 ? errno : 0;
}

/* 0 when it can be opened; nothing is read or written. */
static int opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int closes(int fd)
{
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int mounts(const struct target *t)
{
	/* An unknown type: whoever may not mount learns that before. */
	int e = of(mount("none", "/proc", "caisson-nothing", 0, NULL));

	return e == ENODEV ? 0 : e;
}

static int host_file(const struct target *t)
{
	char path[512];

	snprintf(path, sizeof(path), "/proc/%d/root%s", t->pid, t->file);
	return opens(path, O_RDONLY);
}

static int host_process(const struct target *t)
{
	return of(kill(t->pid, 0));
}

/* The old way out of a chroot: another one below, while we stand above it. */
static int climbs(const struct target *t)
{
	char path[512] = "";

	if (mkdir("/tmp/caisson-climb", 0700) < 0 && errno != EEXIST)
		return errno;
	if (chroot("/tmp/caisson-climb") < 0)
		return errno;
	for (int i = 0; i < 32; i++)
		if (chdir("..") < 0)
			return errno;
	if (chroot(".") < 0)
		return errno;
	snprintf(path, sizeof(path), "%s", t->file);
	return opens(path, O_RDONLY);
}

/* Inode 2 of the file system the root is on, by number ("shocker", 2014). */
static int by_handle(const struct target *t)
{
	struct {
		struct file_handle h;
		unsigned char bytes[8];
	} f = {.h = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
	int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), e;

	e = closes((int)syscall(SYS_open_by_handle_at, fd, &f, O_RDONLY | O_CLOEXEC));
	close(fd);
	return e == ESTALE ? 0 : e;
}

static int makes_disk(const struct target *t)
{
	char path[] = "/caisson-disk";
	int e = of(mknod(path, S_IFBLK | 0600, makedev(254, 0)));

	if (e)
		return e;
	e = opens(path, O_RDONLY);
	unlink(path);
	/* The kernel would have opened it, had there been one. */
	return e == ENXIO || e == ENODEV ? 0 : e;
}

static int memory_device(const struct target *t)
{
	char path[] = "/caisson-mem";
	int e = opens("/dev/mem", O_RDONLY);

	if (e != ENOENT)
		return e;
	if (mknod(path, S_IFCHR | 0600, makedev(1, 1)) < 0)
		return errno;
	e = opens(path, O_RDONLY);
	unlink(path);
	return e;
}

static int kernel_memory(const struct target *t)
{
	return opens("/proc/kcore", O_RDONLY);
}

static int core_pattern(const struct target *t)
{
	return opens("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int sysrq(const struct target *t)
{
	return opens("/proc/sysrq-trigger", O_WRONLY);
}

static int uevent_helper(const struct target *t)
{
	return opens("/sys/kernel/uevent_helper", O_WRONLY);
}

static int release_agent(const struct target *t)
{
	static const char *const places[] = {"/sys/fs/cgroup/memory/release_agent",
					     "/sys/fs/cgroup/rdma/release_agent",
					     "/sys/fs/cgroup/cgroup.procs"};
	int e = ENOENT;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && e; i++) {
		int now = opens(places[i], O_WRONLY);

		e = now == ENOENT ? e : now;
	}
	return e;
}

static int kernel_log(const struct target *t)
{
	return of(syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0));
}

static int modules(const struct target *t)
{
	int e = of(syscall(SYS_init_module, NULL, 0UL, ""));

	return e == ENOEXEC || e == EFAULT ? 0 : e;
}

static int other_kernel(const struct target *t)
{
	int e = of(syscall(SYS_kexec_load, 0UL, 0UL, NULL, 0xffff0000UL /* no such machine */));

	return e == EINVAL ? 0 : e;
}

static int reboots(const struct target *t)
{
	int e = of(syscall(SYS_reboot, 0 /* no magic */, 0, 0, NULL));

	return e == EINVAL ? 0 : e;
}

static int clock_of_host(const struct target *t)
{
	struct timex x = {.modes = ADJ_TICK}; /* a tick of 0 is refused to those who may, too */
	int e = of(adjtimex(&x));

	return e == EINVAL ? 0 : e;
}

static int swaps(const struct target *t)
{
	int e = of(swapon("/caisson-nothing", 0));

	return e == ENOENT ? 0 : e;
}

static int ports(const struct target *t)
{
	int e = of(ioperm(0x80, 1, 1));

	if (!e)
		ioperm(0x80, 1, 0);
	return e;
}

static int programs_in_kernel(const struct target *t)
{
	union bpf_attr a = {
	    .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return closes((int)syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a)));
}

static int watches_all(const struct target *t)
{
	struct perf_event_attr a = {
	    .size = sizeof(a), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK};

	return closes((int)syscall(SYS_perf_event_open, &a, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
}

static int user_namespace(const struct target *t)
{
	return of(unshare(CLONE_NEWUSER));
}

static int faults(const struct target *t)
{
	return closes((int)syscall(SYS_userfaultfd, O_CLOEXEC));
}

static int rings(const struct target *t)
{
	char params[256] = "";

	return closes((int)syscall(SYS_io_uring_setup, 1, params));
}

static int keys(const struct target *t)
{
	return of(syscall(SYS_keyctl, 0 /* id of a keyring */, -3 /* the session's */, 0));
}

static int raw_packets(const struct target *t)
{
	return closes(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int net_admin(const struct target *t)
{
	struct ifreq q = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), e;

	if (fd < 0)
		return errno;
	e = of(ioctl(fd, SIOCGIFFLAGS, &q));
	if (!e)
		e = of(ioctl(fd, SIOCSIFFLAGS, &q)); /* as they are */
	close(fd);
	return e;
}

static int kernel_crypto(const struct target *t)
{
	return closes(socket(AF_ALG, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
}

static int hypervisor(const struct target *t)
{
	return closes(socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

/* Key, system call the host's filter is asked about (-1: none), what it does. */
#define ATTEMPT(key, nr, fn)                                                                       \
	{                                                                                          \
		key, nr, fn                                                                        \
	}
static const struct attempt {
	const char *key;
	int nr;
	int (*fn)(const struct target *);
} all[] = {
    ATTEMPT("mount", SYS_mount, mounts),
    ATTEMPT("host-file", -1, host_file),
    ATTEMPT("host-process", -1, host_process),
    ATTEMPT("chroot", SYS_chroot, climbs),
    ATTEMPT("handle", SYS_open_by_handle_at, by_handle),
    ATTEMPT("disk", -1, makes_disk),
    ATTEMPT("memory", -1, memory_device),
    ATTEMPT("kcore", -1, kernel_memory),
    ATTEMPT("core-pattern", -1, core_pattern),
    ATTEMPT("sysrq", -1, sysrq),
    ATTEMPT("uevent", -1, uevent_helper),
    ATTEMPT("release-agent", -1, release_agent),
    ATTEMPT("kernel-log", SYS_syslog, kernel_log),
    ATTEMPT("module", SYS_init_module, modules),
    ATTEMPT("kexec", SYS_kexec_load, other_kernel),
    ATTEMPT("reboot", SYS_reboot, reboots),
    ATTEMPT("clock", SYS_adjtimex, clock_of_host),
    ATTEMPT("swap", SYS_swapon, swaps),
    ATTEMPT("io-ports", SYS_ioperm, ports),
    ATTEMPT("bpf", SYS_bpf, programs_in_kernel),
    ATTEMPT("perf", SYS_perf_event_open, watches_all),
    ATTEMPT("user-namespace", SYS_unshare, user_namespace),
    ATTEMPT("userfaultfd", SYS_userfaultfd, faults),
    ATTEMPT("io-uring", SYS_io_uring_setup, rings),
    ATTEMPT("keyring", SYS_keyctl, keys),
    ATTEMPT("raw-packets", -1, raw_packets),
    ATTEMPT("network", -1, net_admin),
    ATTEMPT("crypto", -1, kernel_crypto),
    ATTEMPT("vsock", -1, hypervisor),
};

/* In a child: what one changes of itself (root directory, namespaces) is not there for the next. */
static int attempt(const struct attempt *a, const struct target *t)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(a->fn(t) & 0xff);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return ECHILD;
	/* A filter may end who asks. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : EPERM;
}

void workattempt_all(pid_t host_pid, const char *file)
{
	const struct target t = {host_pid, file};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		printf("attempt %s %d %d\n", all[i].key, all[i].nr, attempt(&all[i], &t));
		fflush(stdout);
	}
	rmdir("/tmp/caisson-climb");
}
