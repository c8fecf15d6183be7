/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tarout.h"
#include "base/buf.h"
#include "base/err.h"
#include "fmt/tarwrite.h"
#include "sys/fd.h"

#include <errno.h>

int tarout_write(int fd, const void *data, size_t len, struct err *e)
{
	int r = fd_write_all(fd, data, len);

	if (r >= 0)
		return 0;
	errno = -r;
	return err_sys(e, "cannot write the archive");
}

static int put_buf(int fd, const struct buf *b, struct err *e)
{
	int r = buf_fail(b, "archive", e);

	return r < 0 ? r : tarout_write(fd, b->p, b->len, e);
}

static int header(int fd, const struct tarwrite_entry *t, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	int r = tarwrite_header(t, &b, e);

	return r < 0 ? r : put_buf(fd, &b, e);
}

int tarout_file(int fd, const char *name, uint64_t size, struct err *e)
{
	struct tarwrite_entry t = {.type = TARWRITE_FILE, .name = name, .mode = 0644, .size = size};

	return header(fd, &t, e);
}

int tarout_dir(int fd, const char *name, struct err *e)
{
	struct tarwrite_entry t = {.type = TARWRITE_DIR, .name = name, .mode = 0755};

	return header(fd, &t, e);
}

int tarout_pad(int fd, uint64_t size, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(TARWRITE_BLOCK);

	tarwrite_pad(size, &b);
	return put_buf(fd, &b, e);
}

int tarout_document(int fd, const char *name, const struct buf *text, struct err *e)
{
	int r = buf_fail(text, name, e);

	if (r >= 0)
		r = tarout_file(fd, name, text->len, e);
	if (r >= 0)
		r = tarout_write(fd, text->p, text->len, e);
	return r < 0 ? r : tarout_pad(fd, text->len, e);
}

int tarout_end(int fd, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(4096);

	tarwrite_end(&b);
	return put_buf(fd, &b, e);
}
