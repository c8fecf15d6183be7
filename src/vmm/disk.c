/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/disk.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#define SECTOR 512

/* Source: VMware Virtual Disk Format 1.1, "Text Descriptor"; QEMU reads version, CIDs, createType
 * and the extent lines, and ignores the geometry.  No empty line: QEMU 7.2 scans each line with
 * sscanf(), which skips it and takes the extent that follows twice. */
void disk_vmdk(const struct disk_extent *v, size_t n, struct buf *out)
{
	buf_puts(out, "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
		      "createType=\"monolithicFlat\"\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "RW %" PRIu64 " FLAT \"/dev/fdset/%d\" 0\n", v[i].bytes / SECTOR,
			   v[i].fd);
}

int disk_open(const struct strs *files, int *fds, uint64_t *bytes, struct err *e)
{
	for (size_t i = 0; i < files->n; i++) {
		struct stat st;

		fds[i] = open(files->v[i], O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0)
			return err_sys(e, "image disk: %s", files->v[i]);
		if (fstat(fds[i], &st) < 0)
			return err_sys(e, "image disk: %s", files->v[i]);
		bytes[i] = (uint64_t)st.st_size;
		if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size % SECTOR)
			return err_set(e, ERR_CORRUPT,
				       "image disk: %s: %lld bytes, expected a multiple of 512",
				       files->v[i], (long long)st.st_size);
	}
	return 0;
}

int disk_text(const struct buf *text, struct err *e)
{
	auto_fd int mem = fd_sealed("caisson-vmdk", text->p, text->len);
	char path[PATH_FD_MAX];
	int fd;

	if (mem < 0) {
		errno = -mem;
		return err_sys(e, "image disk: memory file");
	}
	/* QEMU hands out a descriptor only for the access mode it has. */
	fd = open(path_of_fd(mem, path), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "image disk: memory file");
	return fd;
}
