/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-names - answers names to the instances of all networks of a store.  Lives as long as one
 * of them is on a network with names; has sockets on the gateways and to the servers it asks, and
 * the records of who is where, to read; has no capabilities, no other files, and, started by root,
 * nobody's id.  Parses hostile bytes from instances and from name servers.
 *
 * Started by net/nameproc.h with run-root/net/attached as 3, the control socket as 4,
 * run-root/net/lock as 5 and its own lock, only held, as 6.
 */
#include "names/nameserver.h"
#include "sys/fd.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

enum { DIR_FD = 3, CONTROL_FD, LOCK_FD, MINE_FD };

/* Where an id or a change of root is not to be had (an ordinary user's engine), there is no power
 * behind it that could be lost. */
static int jail(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	const struct rlimit no_core = {0, 0};

	if (fchdir(DIR_FD) < 0)
		return -errno;
	if (chroot(".") == 0 && setgroups(0, NULL) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0)
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    syscall(SYS_capset, &head, none) < 0)
		return -errno;
	return 0;
}

static int serve(void)
{
	struct nameserver s;
	int r;

	setsid();
	/* We outlive the command. */
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	sigaction(SIGHUP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = jail();
	if (r == 0)
		r = nameserver_open(&s, DIR_FD, CONTROL_FD, LOCK_FD);
	return r < 0 ? r : nameserver_run(&s);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc != 1 || fd_set_cloexec(MINE_FD, 1) < 0) {
		fprintf(stderr, "caisson-names is started by caisson\n");
		return 2;
	}
	pid = fork();
	if (pid == 0)
		return serve() < 0;
	return pid < 0;
}
