/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oci_floor - the least a runtime can do for `run /bin/true` of the default bundle: clone with its
 * namespaces, its mounts, pivot_root, execve, wait.  No configuration is read, nothing is checked,
 * nothing is written down: a floor to compare runtimes with, not a runtime.
 *
 * usage: oci_floor ROOTFS [CGROUP-DIRECTORY...]   (each directory is made, entered and removed)
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long r, const char *what)
{
	if (r < 0) {
		perror(what);
		_exit(125);
	}
}

static void nodes(void)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} all[] = {{"dev/null", 1, 3},	 {"dev/zero", 1, 5},	{"dev/full", 1, 7},
		   {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		must(mknod(all[i].path, S_IFCHR | 0666, makedev(all[i].major, all[i].minor)),
		     all[i].path);
}

static void mounts(void)
{
	static const char *const read_only[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};

	must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
	must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
	     "dev");
	must(mkdir("dev/pts", 0755) | mkdir("dev/shm", 0755) | mkdir("dev/mqueue", 0755), "mkdir");
	must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
		   "newinstance,ptmxmode=0666,mode=0620,gid=5"),
	     "devpts");
	must(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   "mode=1777,size=65536k"),
	     "shm");
	must(mount("mqueue", "dev/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL),
	     "mqueue");
	must(mount("sysfs", "sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL),
	     "sysfs");
	nodes();
	for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++) {
		must(mount(read_only[i], read_only[i], NULL, MS_BIND | MS_REC, NULL), "bind");
		must(mount(NULL, read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL),
		     "remount");
	}
}

static _Noreturn void child(const char *rootfs, char **cgroups)
{
	static char *const argv[] = {(char *)(uintptr_t) "/bin/true", NULL}, *const env[] = {NULL};
	char path[PATH_MAX];
	int fd;

	for (; *cgroups; cgroups++) {
		must(mkdir(*cgroups, 0755), *cgroups);
		snprintf(path, sizeof(path), "%s/cgroup.procs", *cgroups);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		must(fd, path);
		must(write(fd, "0", 1), path);
		close(fd);
	}
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "root");
	must(chdir(rootfs), "chdir");
	mounts();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(sethostname("floor", 5), "hostname");
	execve(argv[0], argv, env);
	_exit(127);
}

int main(int argc, char **argv)
{
	struct clone_args a = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
					CLONE_NEWUTS | CLONE_NEWCGROUP,
			       .exit_signal = SIGCHLD};
	int status;
	long pid;

	if (argc < 2)
		return 2;
	pid = syscall(SYS_clone3, &a, sizeof(a));
	if (pid == 0)
		child(argv[1], argv + 2);
	must(pid, "clone3");
	must(waitpid((pid_t)pid, &status, 0), "wait");
	for (int i = 2; i < argc; i++)
		while (rmdir(argv[i]) < 0)
			;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
