/* SPDX-License-Identifier: Apache-2.0 */
/* erofs_read - walk a whole image, of which every byte may be wrong, and touch all the data that
 * its inodes point to. */
#include "base/err.h"
#include "fmt/erofs.h"
#include "fmt/erofs_read.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	const struct erofs_image *img;
	unsigned int depth, steps;
	volatile uint8_t sum;
};

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	struct walk *w = arg;

	w->sum += (uint8_t)strlen(name);
	for (size_t i = 0; i < len; i++)
		w->sum += ((const uint8_t *)value)[i];
	return 0;
}

static void touch(struct walk *w, const struct erofs_inode *in)
{
	for (uint32_t i = 0; i < in->tail_len; i++)
		w->sum += in->tail[i];
	if (in->nchunks) {
		for (size_t i = 0; i < 4 * (size_t)in->nchunks; i++)
			w->sum += in->chunks[i];
	} else if (in->size > in->tail_len) {
		w->sum += w->img->p[in->block * EROFS_BLOCK];
		w->sum += w->img->p[in->block * EROFS_BLOCK + (in->size - in->tail_len) - 1];
	}
}

static int on_entry(void *arg, const char *name, size_t len, uint64_t nid, struct err *e)
{
	struct walk *w = arg;
	struct erofs_inode in;
	int r = 0;

	/* A directory may contain itself here; only whoever builds a tree has to notice. */
	if (++w->steps > 2000 || len == 0 || len > 255 || memchr(name, '/', len))
		return len == 0 || len > 255 ? (abort(), 0) : -1;
	if (erofs_read_inode(w->img, nid, &in, e) < 0)
		return 0;
	erofs_read_xattrs(&in, on_xattr, w, e);
	if (S_ISLNK(in.mode)) {
		const char *link = erofs_read_link(w->img, &in, e);

		for (uint64_t i = 0; link && i < in.size; i++)
			w->sum += (uint8_t)link[i];
	} else if (S_ISREG(in.mode)) {
		touch(w, &in);
	} else if (S_ISDIR(in.mode) && w->depth < 20) {
		w->depth++;
		r = erofs_read_dir(w->img, &in, on_entry, w, e);
		w->depth--;
	}
	return w->steps > 2000 ? -1 : r < 0 ? 0 : r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct erofs_image img;
	struct walk w = {.img = &img};
	struct err e = ERR_INIT;
	uint8_t *p = malloc(size ? size : 1);
	uint32_t sum;

	if (!p)
		abort();
	if (size)
		memcpy(p, data, size);
	/* Every other input gets a right checksum, or the fuzzer would never come past it. */
	if (size >= EROFS_BLOCK && (size / EROFS_BLOCK % 2 || p[EROFS_SUPER_AT + 100] == 0)) {
		sum = htole32(erofs_checksum(p));
		memcpy(p + EROFS_SUPER_AT + 4, &sum, 4);
	}
	if (erofs_read_open(p, size, &img, &e) >= 0)
		on_entry(&w, "root", 4, img.root, &e);
	free(p);
	return 0;
}
