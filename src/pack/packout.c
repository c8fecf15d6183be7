/* SPDX-License-Identifier: Apache-2.0 */
#include "pack/packout.h"
#include "base/err.h"
#include "sys/fd.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define OUT_BYTES (256 << 10)
/* Levels: what a layer takes to compress must stay below what it takes to write.  zlib's level 1
 * does 150 MB/s here and is 15 % larger than level 6 at 50; zstd's 3 is smaller than both at 400.
 */
#define GZIP_LEVEL 1
#define ZSTD_LEVEL 3

const char *const packout_names[] = {"none", "gzip", "zstd", NULL};

struct packout {
	int fd;
	enum packout_codec codec;
	z_stream z;
	ZSTD_CCtx *zstd;
	size_t used; /* of buf, with no codec */
	unsigned char buf[OUT_BYTES];
};

static int put(struct packout *o, size_t len, struct err *e)
{
	int r = fd_write_all(o->fd, o->buf, len);

	if (r >= 0)
		return 0;
	errno = -r;
	return err_sys(e, "write the archive");
}

static int no_memory(struct err *e)
{
	errno = ENOMEM;
	return err_sys(e, "compress");
}

int packout_open(int fd, enum packout_codec codec, struct packout **out, struct err *e)
{
	struct packout *o = calloc(1, sizeof(*o));

	if (!o)
		return no_memory(e);
	o->fd = fd;
	o->codec = codec;
	/* 15 + 16: a gzip header, which zlib writes with a zero time and "unix". */
	if (codec == PACKOUT_GZIP &&
	    deflateInit2(&o->z, GZIP_LEVEL, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(o);
		return no_memory(e);
	}
	if (codec == PACKOUT_ZSTD) {
		o->zstd = ZSTD_createCCtx();
		if (!o->zstd) {
			free(o);
			return no_memory(e);
		}
		ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(o->zstd, ZSTD_c_checksumFlag, 1);
	}
	*out = o;
	return 0;
}

static int write_plain(struct packout *o, const unsigned char *p, size_t len, struct err *e)
{
	while (len) {
		size_t n = OUT_BYTES - o->used;

		if (n > len)
			n = len;
		__builtin_memcpy(o->buf + o->used, p, n);
		o->used += n;
		p += n;
		len -= n;
		if (o->used == OUT_BYTES) {
			int r = put(o, o->used, e);

			o->used = 0;
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static int write_gzip(struct packout *o, const void *data, size_t len, int flush, struct err *e)
{
	int state;

	o->z.next_in = (unsigned char *)(uintptr_t)data;
	o->z.avail_in = (unsigned int)len;
	do {
		int r;

		o->z.next_out = o->buf;
		o->z.avail_out = OUT_BYTES;
		state = deflate(&o->z, flush);
		if (state == Z_STREAM_ERROR)
			return err_set(e, ERR_SYSTEM, "compress: zlib refuses its input");
		r = put(o, OUT_BYTES - o->z.avail_out, e);
		if (r < 0)
			return r;
	} while (flush == Z_FINISH ? state != Z_STREAM_END : o->z.avail_in > 0);
	return 0;
}

static int write_zstd(struct packout *o, const void *data, size_t len, ZSTD_EndDirective end,
		      struct err *e)
{
	ZSTD_inBuffer in = {data, len, 0};
	size_t left;

	do {
		ZSTD_outBuffer out = {o->buf, OUT_BYTES, 0};
		int r;

		left = ZSTD_compressStream2(o->zstd, &out, &in, end);
		if (ZSTD_isError(left))
			return err_set(e, ERR_SYSTEM, "compress: %s", ZSTD_getErrorName(left));
		r = put(o, out.pos, e);
		if (r < 0)
			return r;
	} while (end == ZSTD_e_end ? left != 0 : in.pos < in.size);
	return 0;
}

int packout_write(struct packout *o, const void *data, size_t len, struct err *e)
{
	if (o->codec == PACKOUT_GZIP)
		return write_gzip(o, data, len, Z_NO_FLUSH, e);
	if (o->codec == PACKOUT_ZSTD)
		return write_zstd(o, data, len, ZSTD_e_continue, e);
	return write_plain(o, data, len, e);
}

int packout_finish(struct packout *o, struct err *e)
{
	if (o->codec == PACKOUT_GZIP)
		return write_gzip(o, NULL, 0, Z_FINISH, e);
	if (o->codec == PACKOUT_ZSTD)
		return write_zstd(o, NULL, 0, ZSTD_e_end, e);
	return put(o, o->used, e);
}

void packout_free(struct packout *o)
{
	if (!o)
		return;
	if (o->codec == PACKOUT_GZIP)
		deflateEnd(&o->z);
	ZSTD_freeCCtx(o->zstd);
	free(o);
}
