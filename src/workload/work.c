/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/work.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TABLE 8192
#define PIECE 65536

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

static int write_file(int dir, const char *name, uint64_t bytes)
{
	static char piece[PIECE];
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), r = 0;

	if (fd < 0)
		return -errno;
	for (uint64_t at = 0; r == 0 && at < bytes; at += sizeof(piece)) {
		memset(piece, (int)(at / sizeof(piece)), sizeof(piece));
		if (write(fd, piece, sizeof(piece)) != (ssize_t)sizeof(piece))
			r = errno ? -errno : -ENOSPC;
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r;
}

static int read_file(int dir, const char *name)
{
	static char piece[PIECE];
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), r = 0;
	uint64_t at = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (r == 0 && (n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0)
			r = -errno;
		else if (piece[0] != (char)(at / sizeof(piece)) || piece[n - 1] != piece[0])
			r = -EIO;
		at += sizeof(piece);
	}
	close(fd);
	return r;
}

static int small_files(int dir, unsigned int files)
{
	char name[32];
	struct stat st;

	for (unsigned int i = 0; i < 3 * files; i++) {
		int fd, r = 0;

		snprintf(name, sizeof(name), "file-%u", i % files);
		if (i / files == 0) {
			fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
			r = fd < 0 ? -1 : close(fd);
		} else if (i / files == 1) {
			r = fstatat(dir, name, &st, 0);
		} else {
			r = unlinkat(dir, name, 0);
		}
		if (r < 0)
			return -errno;
	}
	return 0;
}

int work_files(const char *dir, uint64_t bytes, unsigned int files)
{
	char name[] = "caisson-workload.tmp";
	int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), sub, r;

	if (at < 0)
		return -errno;
	if (mkdirat(at, name, 0700) < 0 && errno != EEXIST) {
		r = -errno;
		close(at);
		return r;
	}
	sub = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = sub < 0 ? -errno : write_file(sub, "big", bytes);
	if (r == 0)
		r = read_file(sub, "big");
	if (r == 0)
		r = small_files(sub, files);
	if (sub >= 0) {
		unlinkat(sub, "big", 0);
		close(sub);
	}
	unlinkat(at, name, AT_REMOVEDIR);
	close(at);
	return r;
}
