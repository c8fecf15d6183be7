/* SPDX-License-Identifier: Apache-2.0 */
/* untar - any bytes as a tar, into an image in memory; what was accepted must be an image that our
 * own reader reads to the end without a complaint, with names that lead nowhere. */
#include "base/err.h"
#include "fmt/erofs_read.h"
#include "unpack/erofs_data.h"
#include "unpack/erofs_meta.h"
#include "unpack/sink.h"
#include "unpack/tree.h"
#include "unpack/untar.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

/* In pieces that do not line up with anything. */
static ssize_t next_piece(void *arg, const void **data, struct err *e)
{
	struct input *in = arg;
	size_t n = in->left < 700 ? in->left : 700;

	*data = in->p;
	in->p += n;
	in->left -= n;
	return (ssize_t)n;
}

static int on_xattr(void *arg, const char *name, const void *value, size_t len, struct err *e)
{
	return 0;
}

static int on_entry(void *arg, const char *name, size_t len, uint64_t nid, struct err *e)
{
	const struct erofs_image *img = arg;
	struct erofs_inode in;

	if (len > 3 && !memcmp(name, ".wh.", 4))
		abort();
	if (erofs_read_inode(img, nid, &in, e) < 0 || erofs_read_xattrs(&in, on_xattr, NULL, e) < 0)
		abort();
	if (S_ISLNK(in.mode) && !erofs_read_link(img, &in, e))
		abort();
	if (S_ISDIR(in.mode) && erofs_read_dir(img, &in, on_entry, arg, e) < 0)
		abort();
	return 0;
}

static void check_image(int fd, uint64_t size)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	struct erofs_image img;
	struct err e = ERR_INIT;

	if (p == MAP_FAILED || erofs_read_open(p, size, &img, &e) < 0)
		abort();
	on_entry(&img, "root", 4, img.root, &e);
	munmap(p, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	struct tarread_source src = {next_piece, &input};
	struct erofs_meta_opts mo = {.opaque_xattr = "trusted.overlay.opaque"};
	struct untar_stats stats = {0};
	struct err e = ERR_INIT;
	struct erofs_data *d;
	struct sink sink;
	struct tree t;
	uint64_t out;
	int fd = memfd_create("image", MFD_CLOEXEC);

	tree_init(&t, NULL);
	if (fd < 0 || erofs_data_new(fd, &t, &d, &e) < 0)
		abort();
	erofs_data_sink(d, &sink);
	if (untar_run(&src, &t, &sink, &stats, &e) >= 0) {
		if (erofs_meta_write(&t, d, &mo, &out, &e) >= 0)
			check_image(fd, out);
		else if (e.kind != ERR_LIMIT)
			abort();
	} else if (e.kind == ERR_NONE) {
		abort();
	}
	erofs_data_free(d);
	tree_done(&t);
	close(fd);
	return 0;
}
