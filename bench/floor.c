/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor - the least that starting a container can cost on this kernel: one clone into new
 *namespaces, a root of bind mounts, pivot_root, execve, wait.  No engine, no JSON, no cgroup.  What
 *an engine takes above it is its own doing.
 *
 *	floor ROOT COMMAND [ARG...]	(ROOT: a directory tree with COMMAND in it)
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	_exit(125);
}

static void inside(const char *root, char **argv)
{
	must(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "private");
	must(mount(root, root, NULL, MS_BIND | MS_REC, NULL) == 0, "root");
	must(chdir(root) == 0, root);
	must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
	must(umount2(".", MNT_DETACH) == 0, "old root");
	must(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0, "/proc");
	must(mount("tmpfs", "/dev", "tmpfs", MS_NOSUID, "size=64k,mode=755") == 0, "/dev");
	execv(argv[0], argv);
	must(0, argv[0]);
}

int main(int argc, char **argv)
{
	const unsigned long flags =
	    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | SIGCHLD;
	int status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: floor ROOT COMMAND [ARG...]\n");
		return 2;
	}
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
	must(pid >= 0, "clone");
	if (pid == 0)
		inside(argv[1], argv + 2);
	must(waitpid(pid, &status, 0) == pid, "wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
