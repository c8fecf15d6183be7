/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "compare/family.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELD (32u << 20)

/* A child and a grandchild; the grandchild touches HELD bytes. */
static pid_t family(int *ready)
{
	int p[2];
	pid_t pid;
	char c;

	if (pipe(p) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fork() == 0) {
			char *m = mmap(NULL, HELD, PROT_READ | PROT_WRITE,
				       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

			prctl(PR_SET_PDEATHSIG, SIGKILL);
			memset(m, 1, HELD);
			if (write(p[1], "x", 1) != 1)
				_exit(1);
		}
		for (;;)
			pause();
	}
	*ready = read(p[0], &c, 1) == 1;
	close(p[0]);
	close(p[1]);
	return pid;
}

TEST(memory_of_all_below_is_summed)
{
	struct family before, with, without;
	struct err e = ERR_INIT;
	int ready = 0;
	pid_t pid;

	CHECK_INT(family_measure(getpid(), 0, FAMILY_NOBODY, &before, &e), 0);
	pid = family(&ready);
	CHECK(pid > 0 && ready);
	CHECK_INT(family_measure(getpid(), 0, FAMILY_NOBODY, &with, &e), 0);
	CHECK_INT(family_measure(getpid(), pid, FAMILY_NOBODY, &without, &e), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_INT(with.processes, before.processes + 2);
	CHECK_INT(without.processes, before.processes + 1);
	CHECK(with.pss_bytes >= before.pss_bytes + HELD &&
	      with.pss_bytes < before.pss_bytes + 2 * HELD);
	CHECK(without.pss_bytes >= before.pss_bytes + HELD);
	CHECK_INT(with.engine_pss_bytes, with.pss_bytes);
	CHECK_INT(with.inside, 0);
	CHECK_INT(with.qemu, 0);
}

TEST_MAIN(T(memory_of_all_below_is_summed))
