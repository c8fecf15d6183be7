/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/reaper.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void command(const char *path, char **argv, const sigset_t *mask)
{
	/* A group of its own that has the terminal: then Ctrl-C is the command's, and passing it on
	 * is ours to leave.  SIGTTOU is blocked here, so taking the terminal does not stop us. */
	setpgid(0, 0);
	tcsetpgrp(STDIN_FILENO, getpid());
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(path, argv);
	dprintf(STDERR_FILENO, "caisson: exec %s: %s\n", path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* True when the command has ended. */
static bool reap(pid_t child, int *status)
{
	bool ended = false;
	pid_t pid;
	int s;

	while ((pid = waitpid(-1, &s, WNOHANG)) > 0)
		if (pid == child) {
			*status = s;
			ended = true;
		}
	return ended;
}

_Noreturn void reaper_main(int argc, char **argv)
{
	sigset_t all, old;
	int status = 0;
	pid_t child;

	if (argc < 3)
		_exit(125);
	prctl(PR_SET_NAME, REAPER_NAME);
	/* In somebody else's pid namespace (--pid host) we are not process 1. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* Blocked and not handled: a blocked signal reaches process 1 even where its default would
	 * be ignored for it. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	child = fork();
	if (child == 0)
		command(argv[1], argv + 2, &old);
	if (child < 0) {
		dprintf(STDERR_FILENO, "caisson: fork: %s\n", strerror(errno));
		_exit(125);
	}
	for (;;) {
		siginfo_t info;
		int sig = sigwaitinfo(&all, &info);

		if (sig == SIGCHLD && reap(child, &status))
			break;
		/* The terminal's own two come when we touch it in the background: not for it. */
		if (sig > 0 && sig != SIGCHLD && sig != SIGTTIN && sig != SIGTTOU)
			kill(child, sig);
	}
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}
