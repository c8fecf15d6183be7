/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-workload - lives inside what `caisson compare` measures; static, so that it runs in any
 *image. Has standard input and output; takes commands from the one who started it and from nobody
 *else.
 *
 *	caisson-workload DIR
 *
 * Says "ready", then for each line on stdin (cpu N | syscalls N | files BYTES COUNT | kernel)
 *"begin", does it, and says "end" or "failed WHY".  `kernel` answers with the release instead. Ends
 *at end of file.
 */
#include "workload/work.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

static void begin(void)
{
	puts("begin");
	fflush(stdout);
}

static void end(int r)
{
	if (r == 0)
		puts("end");
	else
		printf("failed %s\n", strerror(-r));
}

static void kernel(void)
{
	struct utsname u;

	if (uname(&u) == 0)
		printf("kernel %s\n", u.release);
	else
		end(-errno);
}

int main(int argc, char **argv)
{
	/* The result of the arithmetic has to go somewhere, or it would not be done. */
	static volatile uint64_t sink;
	char line[128];
	uint64_t n;
	unsigned int files;

	if (argc != 2)
		return 2;
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "cpu %" SCNu64, &n) == 1) {
			begin();
			sink += work_cpu(n);
			end(0);
		} else if (sscanf(line, "syscalls %" SCNu64, &n) == 1) {
			begin();
			end(work_syscalls(n) == n ? 0 : -EIO);
		} else if (sscanf(line, "files %" SCNu64 " %u", &n, &files) == 2) {
			begin();
			end(work_files(argv[1], n, files));
		} else if (strcmp(line, "kernel\n") == 0) {
			kernel();
		} else {
			end(-EINVAL);
		}
		fflush(stdout);
	}
	return 0;
}
