/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/work.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TABLE  8192
#define COPIED (8u << 20)
#define PAGE   4096

uint64_t work_cpu(uint64_t rounds)
{
	static uint64_t table[TABLE];
	uint64_t x = 88172645463325252u, sum = 0;

	for (size_t i = 0; i < TABLE; i++)
		table[i] = i * 2654435761u;
	while (rounds--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		table[x % TABLE] += sum;
		sum += table[(x >> 20) % TABLE] * (x | 1);
	}
	return sum;
}

uint64_t work_syscalls(uint64_t calls)
{
	uint64_t n = 0;

	while (n < calls && syscall(SYS_getppid) >= 0)
		n++;
	return n;
}

uint64_t work_memory(uint64_t bytes)
{
	static char *from;
	uint64_t sum = 1;

	if (!from) {
		from = mmap(NULL, 2 * (size_t)COPIED, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (from == MAP_FAILED) {
			from = NULL;
			return 0;
		}
		memset(from, 1, COPIED);
	}
	for (uint64_t at = 0; at < bytes; at += COPIED) {
		from[at / COPIED % COPIED]++;
		memcpy(from + COPIED, from, COPIED);
		sum += (unsigned char)from[COPIED + at / COPIED % COPIED];
	}
	return sum;
}

int work_fork(uint64_t times)
{
	char self[] = "/proc/self/exe", arg[] = "true", *argv[] = {self, arg, NULL};

	for (uint64_t i = 0; i < times; i++) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			return -errno;
		if (pid == 0) {
			execv(self, argv);
			_exit(127);
		}
		if (waitpid(pid, &status, 0) != pid || status)
			return -EIO;
	}
	return 0;
}

int work_hold(uint64_t bytes)
{
	static char *held;
	static size_t size;

	if (held)
		munmap(held, size);
	held = NULL;
	size = (size_t)bytes;
	if (!bytes)
		return 0;
	held = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (held == MAP_FAILED) {
		held = NULL;
		return -errno;
	}
	/* Not the same in any two pages, so that nothing may merge them. */
	for (size_t at = 0; at < size; at += PAGE)
		memcpy(held + at, &at, sizeof(at));
	return 0;
}
