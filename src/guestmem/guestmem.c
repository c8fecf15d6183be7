/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guestmem - loaded into QEMU before its libraries (LD_PRELOAD): the guest's memory is a descriptor
 * that QEMU was handed, not a file that it opens.
 *
 * Why: many machines map one template's memory privately.  QEMU (7.2) opens a memory file for
 * writing even then, and punches holes into it when the guest's balloon gives pages back: one guest
 * would take the memory of all others.  Here "/guestmem/<n>" opens as a copy of descriptor n, which
 * for a clone was opened read-only, and a hole in such a file succeeds without doing anything: the
 * madvise() that QEMU makes next drops the clone's own pages, which is all that is its own.
 *
 * A QEMU that does not load this (a static one) finds no /guestmem in its jail and ends; its
 * machine then boots cold.  Source: QEMU, softmmu/physmem.c, file_ram_open() and
 * ram_block_discard_range().
 */
/* Both names of each call are other functions here. */
#undef _FILE_OFFSET_BITS
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PREFIX "/guestmem/"

int open(const char *path, int flags, ...); /* O_CLOEXEC as it comes */
int open64(const char *path, int flags, ...);
int fallocate(int fd, int mode, off_t offset, off_t len);
int fallocate64(int fd, int mode, off64_t offset, off64_t len);

/* The memory of this process's one guest, once it was opened. */
static int memory_fd = -1;

static int open_any(const char *path, int flags, mode_t mode)
{
	char *end;
	long n;

	if (strncmp(path, PREFIX, sizeof(PREFIX) - 1) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	n = strtol(path + sizeof(PREFIX) - 1, &end, 10);
	if (*end || n < 3 || n > 1023) {
		errno = ENOENT;
		return -1;
	}
	memory_fd = fcntl((int)n, F_DUPFD_CLOEXEC, 3);
	return memory_fd;
}

static int fallocate_any(int fd, int mode, off64_t offset, off64_t len)
{
	if (fd >= 0 && fd == memory_fd && mode & FALLOC_FL_PUNCH_HOLE &&
	    (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return 0;
	return (int)syscall(SYS_fallocate, fd, mode, offset, len);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(ap, mode_t) : 0;
}

__attribute__((visibility("default"))) int open(const char *path, int flags, ... /* O_CLOEXEC */)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(path, flags, mode);
}

__attribute__((visibility("default"))) int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = mode_of(flags, ap);
	va_end(ap);
	return open_any(path, flags, mode);
}

__attribute__((visibility("default"))) int fallocate(int fd, int mode, off_t offset, off_t len)
{
	return fallocate_any(fd, mode, offset, len);
}

__attribute__((visibility("default"))) int fallocate64(int fd, int mode, off64_t offset,
						       off64_t len)
{
	return fallocate_any(fd, mode, offset, len);
}
