/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cpio.h"
#include "base/buf.h"

#include <string.h>
#include <sys/stat.h>

struct entry {
	uint32_t mode, nlink, major, minor;
	const void *data;
	size_t len;
};

static void pad(struct buf *out)
{
	static const char zeros[4];

	buf_add(out, zeros, (4 - out->len % 4) % 4);
}

/* The header's size plus the name is padded to four bytes, and so is the data.  Inode numbers only
 * matter to hard links, of which there are none. */
static void put(struct buf *out, const char *path, const struct entry *en)
{
	size_t name = strlen(path) + 1;

	buf_printf(out, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 0, en->mode,
		   0, 0, en->nlink, 0, en->len, 0, 0, en->major, en->minor, name, 0);
	buf_add(out, path, name);
	pad(out);
	if (en->len)
		buf_add(out, en->data, en->len);
	pad(out);
}

void cpio_dir(struct buf *out, const char *path, uint32_t mode)
{
	put(out, path, &(struct entry){.mode = S_IFDIR | mode, .nlink = 2});
}

void cpio_file(struct buf *out, const char *path, uint32_t mode, const void *data, size_t len)
{
	put(out, path,
	    &(struct entry){.mode = S_IFREG | mode, .nlink = 1, .data = data, .len = len});
}

void cpio_device(struct buf *out, const char *path, uint32_t mode, uint32_t major, uint32_t minor)
{
	put(out, path,
	    &(struct entry){.mode = S_IFCHR | mode, .nlink = 1, .major = major, .minor = minor});
}

void cpio_end(struct buf *out)
{
	put(out, "TRAILER!!!", &(struct entry){.nlink = 1});
}
