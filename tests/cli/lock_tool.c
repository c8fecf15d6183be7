/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock_tool LOCK KEPT FILE N NAME - count in a file that others count in at the same time.
 *
 * LOCK: flock, posix (tried until it is free), flockw, posixw (waited for).  KEPT: "open" keeps the
 * counter open all the time, "anew" opens it after each lock.  N times: lock FILE.lock, read the
 * number in FILE, write the next one, append "NAME number" to FILE.log, unlock.  Static: it runs
 * anywhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_one(const char *path, const char *suffix, int flags)
{
	char name[4096];
	int fd;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	fd = open(name, flags | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		fail(name);
	return fd;
}

static void pause_a_bit(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void lock_posix(int fd, int cmd)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};

	while (fcntl(fd, cmd, &l) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			fail("fcntl");
		pause_a_bit();
	}
}

static void lock(const char *how, int fd)
{
	if (strncmp(how, "flock", 5) == 0) {
		int op = strcmp(how, "flock") == 0 ? LOCK_EX | LOCK_NB : LOCK_EX;

		while (flock(fd, op) < 0) {
			if (errno != EWOULDBLOCK)
				fail("flock");
			pause_a_bit();
		}
	} else {
		lock_posix(fd, strcmp(how, "posixw") == 0 ? F_SETLKW : F_SETLK);
	}
}

static long count(int fd)
{
	char text[32] = "";
	ssize_t n = pread(fd, text, 16, 0);
	long v;

	if (n < 0)
		fail("read");
	v = strtol(text, NULL, 10) + 1;
	snprintf(text, sizeof(text), "%015ld\n", v);
	if (pwrite(fd, text, 16, 0) != 16)
		fail("write");
	return v;
}

int main(int argc, char **argv)
{
	int locked, log, fd = -1, kept;

	if (argc != 6)
		return 2;
	kept = strcmp(argv[2], "open") == 0;
	log = open_one(argv[3], ".log", O_WRONLY | O_APPEND);
	if (kept)
		fd = open_one(argv[3], "", O_RDWR);
	for (long n = strtol(argv[4], NULL, 10); n > 0; n--) {
		locked = open_one(argv[3], ".lock", O_RDWR);
		lock(argv[1], locked);
		if (!kept)
			fd = open_one(argv[3], "", O_RDWR);
		if (dprintf(log, "%s %ld\n", argv[5], count(fd)) < 0)
			fail("log");
		if (!kept)
			close(fd);
		/* Of the ways to unlock the one that every file system knows. */
		close(locked);
	}
	puts("done");
	return 0;
}
