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
 * QEMU is told that the memory is shared (share=on), and what it maps of a read-only descriptor is
 * private all the same: so it leaves the memory out of what it saves of a machine
 * (x-ignore-shared), and vmm/vmsnapshot.c reads it from outside.  "/guestmem/zero/<n>" is memory of
 * the size of file n with nothing in it, as anonymous as without a file.
 *
 * "/guestmem/disk/<n>.<bytes>+<n>.<bytes>..." opens as one file, for reading, that consists of
 * these files: an image's layers one behind the other.  QEMU's own way to say so, a VMDK
 * description, makes a machine that cannot be saved.  It is a sealed empty memory file of the whole
 * length, known by its inode, so that whatever QEMU duplicates is it, too; what is read of it comes
 * from the files.
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
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define PREFIX "/guestmem/"
#define ZERO   "zero/"
#define DISK   "/guestmem/disk/"

#define PARTS_MAX 600

int open(const char *path, int flags, ...); /* O_CLOEXEC as it comes */
int open64(const char *path, int flags, ...);
int fallocate(int fd, int mode, off_t offset, off_t len);
int fallocate64(int fd, int mode, off64_t offset, off64_t len);
ssize_t pread(int fd, void *data, size_t len, off_t at);
ssize_t pread64(int fd, void *data, size_t len, off64_t at);
ssize_t preadv(int fd, const struct iovec *v, int n, off_t at);
ssize_t preadv64(int fd, const struct iovec *v, int n, off64_t at);
void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *mmap64(void *at, size_t len, int prot, int flags, int fd, off64_t offset);

/* The memory of this process's one guest, once it was opened. */
static int memory_fd = -1;
static int memory_is_zero;

/* The disk, once it was opened; threads only read this. */
static struct part {
	int fd;
	uint64_t end; /* where it ends in the whole */
} parts[PARTS_MAX];
static size_t part_count;
static ino_t disk_ino;
static dev_t disk_dev;

static int parse_parts(const char *p)
{
	uint64_t end = 0;

	for (part_count = 0; part_count < PARTS_MAX; p++) {
		char *q;
		long fd = strtol(p, &q, 10);

		if (*q != '.' || fd < 3 || fd > 1023)
			return -1;
		end += strtoull(q + 1, &q, 10);
		parts[part_count++] = (struct part){(int)fd, end};
		p = q;
		if (*p != '+')
			return *p ? -1 : 0;
	}
	return -1;
}

static int open_disk(const char *words)
{
	struct stat st;
	int fd = -1;

	if (parse_parts(words) == 0)
		fd = memfd_create("disk", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)parts[part_count - 1].end) < 0 || fstat(fd, &st) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0) {
		part_count = 0;
		errno = ENOENT;
		return -1;
	}
	disk_dev = st.st_dev;
	disk_ino = st.st_ino;
	return fd;
}

static int is_disk(int fd)
{
	struct stat st;

	return part_count && fstat(fd, &st) == 0 && st.st_ino == disk_ino && st.st_dev == disk_dev;
}

/* As much as the file at that place has; the caller asks for the rest. */
static ssize_t read_part(char *data, size_t len, uint64_t at)
{
	uint64_t start = 0;

	for (size_t i = 0; i < part_count; start = parts[i++].end) {
		if (at >= parts[i].end)
			continue;
		if (len > parts[i].end - at)
			len = (size_t)(parts[i].end - at);
		return syscall(SYS_pread64, parts[i].fd, data, len, at - start);
	}
	return 0;
}

static ssize_t read_disk(char *data, size_t len, uint64_t at)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read_part(data + done, len - done, at + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return done ? (ssize_t)done : n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static ssize_t pread_any(int fd, void *data, size_t len, off64_t at)
{
	if (!is_disk(fd))
		return syscall(SYS_pread64, fd, data, len, at);
	return read_disk(data, len, (uint64_t)at);
}

static ssize_t preadv_any(int fd, const struct iovec *v, int n, off64_t at)
{
	ssize_t sum = 0;

	if (!is_disk(fd))
		return syscall(SYS_preadv, fd, v, (long)n, (long)at, 0L);
	for (int i = 0; i < n; i++) {
		ssize_t got = read_disk(v[i].iov_base, v[i].iov_len, (uint64_t)(at + sum));

		if (got < 0)
			return sum ? sum : got;
		sum += got;
		if ((size_t)got < v[i].iov_len)
			break;
	}
	return sum;
}

static int open_any(const char *path, int flags, mode_t mode)
{
	const char *number = path + sizeof(PREFIX) - 1;
	char *end;
	long n;

	if (strncmp(path, DISK, sizeof(DISK) - 1) == 0)
		return open_disk(path + sizeof(DISK) - 1);
	if (strncmp(path, PREFIX, sizeof(PREFIX) - 1) != 0)
		return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
	memory_is_zero = strncmp(number, ZERO, sizeof(ZERO) - 1) == 0;
	if (memory_is_zero)
		number += sizeof(ZERO) - 1;
	n = strtol(number, &end, 10);
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

static void *map_any(void *at, size_t len, int prot, int flags, int fd, off64_t offset)
{
	if (fd >= 0 && fd == memory_fd && flags & MAP_SHARED &&
	    (memory_is_zero || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)) {
		flags = (flags & ~MAP_SHARED_VALIDATE) | MAP_PRIVATE;
		if (memory_is_zero) {
			flags |= MAP_ANONYMOUS;
			fd = -1;
		}
	}
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}

__attribute__((visibility("default"))) void *mmap(void *at, size_t len, int prot, int flags, int fd,
						  off_t offset)
{
	return map_any(at, len, prot, flags, fd, offset);
}

__attribute__((visibility("default"))) void *mmap64(void *at, size_t len, int prot, int flags,
						    int fd, off64_t offset)
{
	return map_any(at, len, prot, flags, fd, offset);
}

__attribute__((visibility("default"))) ssize_t pread(int fd, void *data, size_t len, off_t at)
{
	return pread_any(fd, data, len, at);
}

__attribute__((visibility("default"))) ssize_t pread64(int fd, void *data, size_t len, off64_t at)
{
	return pread_any(fd, data, len, at);
}

__attribute__((visibility("default"))) ssize_t preadv(int fd, const struct iovec *v, int n,
						      off_t at)
{
	return preadv_any(fd, v, n, at);
}

__attribute__((visibility("default"))) ssize_t preadv64(int fd, const struct iovec *v, int n,
							off64_t at)
{
	return preadv_any(fd, v, n, at);
}
