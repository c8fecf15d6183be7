/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-guest - process 1 of a virtual machine.
 *
 * lives: one machine.  has: everything of the guest, one channel to the host.  has not: anything of
 * the host.  parses hostile bytes from: nobody (the host is trusted by its guest; what it sends is
 * checked all the same).
 *
 * Under the name caisson-init it is process 1 of an instance instead, see runtime/reaper.h.
 *
 * It never returns: an end of process 1 is a kernel panic.  The machine restarts instead of
 * powering off, because microvm has no power button; QEMU runs with -no-reboot and ends.
 */
#include "base/err.h"
#include "base/str.h"
#include "guest/agent.h"
#include "guest/boot.h"
#include "guest/guestroot.h"
#include "runtime/reaper.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

static _Noreturn void power_off(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	guestroot_unmount();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void say(const struct err *e)
{
	dprintf(STDERR_FILENO, "caisson-guest: %s\n", e->msg);
}

static int serve(struct err *e)
{
	int port, r = boot_mounts(e);

	if (r == 0)
		r = boot_modules("boot", e);
	if (r < 0)
		return r;
	port = boot_port(e);
	return port < 0 ? port : agent_run(port, e);
}

int main(int argc, char **argv)
{
	struct err e = ERR_INIT;

	/* What --init starts, here and on the host. */
	if (argc > 0 && streq(argv[0], REAPER_NAME))
		reaper_main(argc, argv);
	if (getpid() != 1) {
		fprintf(stderr, "%s: runs as process 1 of a virtual machine\n", argv[0]);
		return 2;
	}
	if (serve(&e) < 0)
		say(&e);
	power_off();
}
