/* SPDX-License-Identifier: Apache-2.0 */
#include "unpack/inflate.h"
#include "base/err.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#else
#include <zlib.h>
#endif

/* 256 MiB: four times what xz -9 wants. */
#define XZ_MEMORY (UINT64_C(256) << 20)

enum form { FORM_NONE, FORM_GZIP, FORM_ZSTD, FORM_XZ, FORM_BZIP2 };

struct inflate {
	enum form form;
	bool open; /* inside a member or frame: the input may not end here */
#ifdef HAVE_ISAL
	struct inflate_state gz;
#else
	z_stream gz;
#endif
	ZSTD_DStream *zstd;
	lzma_stream xz;
	bz_stream bz;
};

static const struct {
	const char *name;
	uint8_t len, magic[INFLATE_MAGIC];
} refused[] = {
    {"bzip2", 3, "BZh"},
    {"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
    {"lz4", 4, {0x04, 0x22, 0x4d, 0x18}},
    {"zip", 4, {'P', 'K', 3, 4}},
};

static enum form detect(const uint8_t *p, size_t len, bool any)
{
	if (any && len >= 6 && !memcmp(p, refused[1].magic, 6))
		return FORM_XZ;
	if (any && len >= 3 && !memcmp(p, refused[0].magic, 3))
		return FORM_BZIP2;
	if (len >= 2 && p[0] == 0x1f && p[1] == 0x8b)
		return FORM_GZIP;
	if (len >= 4 && p[1] == 0xb5 && p[0] == 0x28 && p[2] == 0x2f && p[3] == 0xfd)
		return FORM_ZSTD;
	/* A skippable frame may stand first (RFC 8878, 3.1.2). */
	if (len >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18)
		return FORM_ZSTD;
	return FORM_NONE;
}

#ifdef HAVE_ISAL
static int gz_init(struct inflate *z)
{
	isal_inflate_init(&z->gz);
	z->gz.crc_flag = ISAL_GZIP;
	return 0;
}

static int gz_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		  size_t *out_len, struct err *e)
{
	struct inflate_state *s = &z->gz;
	int r;

	/* igzip stops behind each member; the next one starts from a fresh state. */
	if (!z->open) {
		if (!*in_len)
			return 0;
		if (**in != 0x1f)
			return err_set(e, ERR_CORRUPT, "bytes behind the gzip data");
		isal_inflate_reset(s);
		s->crc_flag = ISAL_GZIP;
		z->open = true;
	}
	s->next_in = (uint8_t *)(uintptr_t)*in; /* read only; the library's type lacks const */
	s->avail_in = (uint32_t)*in_len;
	s->next_out = *out;
	s->avail_out = (uint32_t)*out_len;
	r = isal_inflate(s);
	if (r < 0 || r == ISAL_NEED_DICT)
		return err_set(e, ERR_CORRUPT, "gzip data is damaged (igzip %d)", r);
	*in = s->next_in;
	*in_len = s->avail_in;
	*out = s->next_out;
	*out_len = s->avail_out;
	if (s->block_state == ISAL_BLOCK_FINISH)
		z->open = false;
	return 0;
}

static void gz_done(struct inflate *z)
{
}
#else
static int gz_init(struct inflate *z)
{
	return inflateInit2(&z->gz, 15 + 16) == Z_OK ? 0 : -1;
}

static int gz_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		  size_t *out_len, struct err *e)
{
	z_stream *s = &z->gz;
	int r;

	if (!z->open) {
		if (!*in_len)
			return 0;
		if (**in != 0x1f)
			return err_set(e, ERR_CORRUPT, "bytes behind the gzip data");
		inflateReset(s);
		z->open = true;
	}
	s->next_in = (uint8_t *)(uintptr_t)*in;
	s->avail_in = (uInt)*in_len;
	s->next_out = *out;
	s->avail_out = (uInt)*out_len;
	r = inflate(s, Z_NO_FLUSH);
	if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
		return err_set(e, ERR_CORRUPT, "gzip data is damaged (zlib %d)", r);
	*in = s->next_in;
	*in_len = s->avail_in;
	*out = s->next_out;
	*out_len = s->avail_out;
	if (r == Z_STREAM_END)
		z->open = false;
	return 0;
}

static void gz_done(struct inflate *z)
{
	inflateEnd(&z->gz);
}
#endif

/* ---- what only archives have ---- */

static int xz_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		  size_t *out_len, struct err *e)
{
	lzma_stream *s = &z->xz;
	lzma_ret r;

	/* Streams may follow each other, with zeros between them (xz format 1.2, 2.2). */
	while (!z->open && *in_len && !**in)
		++*in, --*in_len;
	if (!z->open && !*in_len)
		return 0;
	if (!z->open && lzma_stream_decoder(s, XZ_MEMORY, 0) != LZMA_OK)
		abort();
	z->open = true;
	s->next_in = *in;
	s->avail_in = *in_len;
	s->next_out = *out;
	s->avail_out = *out_len;
	r = lzma_code(s, LZMA_RUN);
	if (r == LZMA_MEMLIMIT_ERROR)
		return err_set(e, ERR_LIMIT, "xz data that wants more than %llu MiB of memory",
			       (unsigned long long)(XZ_MEMORY >> 20));
	if (r != LZMA_OK && r != LZMA_STREAM_END && r != LZMA_BUF_ERROR)
		return err_set(e, ERR_CORRUPT, "xz data is damaged (liblzma %d)", (int)r);
	*in = s->next_in;
	*in_len = s->avail_in;
	*out = s->next_out;
	*out_len = s->avail_out;
	if (r == LZMA_STREAM_END)
		z->open = false;
	return 0;
}

static int bz_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		  size_t *out_len, struct err *e)
{
	bz_stream *s = &z->bz;
	int r;

	if (!z->open && !*in_len)
		return 0;
	if (!z->open) {
		BZ2_bzDecompressEnd(s);
		*s = (bz_stream){0};
		if (BZ2_bzDecompressInit(s, 0, 0) != BZ_OK)
			abort();
	}
	z->open = true;
	s->next_in = (char *)(uintptr_t)*in; /* read only; the library's type lacks const */
	s->avail_in = (unsigned int)*in_len;
	s->next_out = (char *)*out;
	s->avail_out = (unsigned int)*out_len;
	r = BZ2_bzDecompress(s);
	if (r != BZ_OK && r != BZ_STREAM_END)
		return err_set(e, ERR_CORRUPT, "bzip2 data is damaged (libbz2 %d)", r);
	*in = (const uint8_t *)s->next_in;
	*in_len = s->avail_in;
	*out = (uint8_t *)s->next_out;
	*out_len = s->avail_out;
	if (r == BZ_STREAM_END)
		z->open = false;
	return 0;
}

int inflate_new(const uint8_t *head, size_t len, bool any, struct inflate **out, struct err *e)
{
	struct inflate *z;

	/* The first two are what archives are compressed with, though layers are not. */
	for (size_t i = any ? 2 : 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (len >= refused[i].len && !memcmp(head, refused[i].magic, refused[i].len))
			return err_set(e, ERR_UNSUPPORTED,
				       "compressed with %s; layers may be gzip, zstd or plain tar",
				       refused[i].name);
	z = calloc(1, sizeof(*z));
	if (!z)
		abort();
	z->form = detect(head, len, any);
	if (z->form == FORM_GZIP && gz_init(z) < 0)
		abort();
	if (z->form == FORM_ZSTD) {
		z->zstd = ZSTD_createDStream();
		/* 27 is 128 MiB of window: what the zstd program accepts without being told to. */
		if (!z->zstd ||
		    ZSTD_isError(ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, 27)))
			abort();
	}
	*out = z;
	return 0;
}

void inflate_free(struct inflate *z)
{
	if (!z)
		return;
	if (z->form == FORM_GZIP)
		gz_done(z);
	ZSTD_freeDStream(z->zstd);
	lzma_end(&z->xz);
	BZ2_bzDecompressEnd(&z->bz);
	free(z);
}

static int zstd_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		    size_t *out_len, struct err *e)
{
	ZSTD_inBuffer ib = {*in, *in_len, 0};
	ZSTD_outBuffer ob = {*out, *out_len, 0};
	size_t r = ZSTD_decompressStream(z->zstd, &ob, &ib);

	if (ZSTD_isError(r))
		return err_set(e, ERR_CORRUPT, "zstd data is damaged (%s)", ZSTD_getErrorName(r));
	*in += ib.pos;
	*in_len -= ib.pos;
	*out += ob.pos;
	*out_len -= ob.pos;
	/* 0 says a frame is complete and flushed; a call that did nothing only tells how many bytes
	 * the next frame's header would want. */
	if (r == 0 || ib.pos || ob.pos)
		z->open = r != 0;
	return 0;
}

int inflate_run(struct inflate *z, const uint8_t **in, size_t *in_len, uint8_t **out,
		size_t *out_len, struct err *e)
{
	size_t n;

	switch (z->form) {
	case FORM_GZIP:
		return gz_run(z, in, in_len, out, out_len, e);
	case FORM_ZSTD:
		return zstd_run(z, in, in_len, out, out_len, e);
	case FORM_XZ:
		return xz_run(z, in, in_len, out, out_len, e);
	case FORM_BZIP2:
		return bz_run(z, in, in_len, out, out_len, e);
	case FORM_NONE:
		break;
	}
	n = *in_len < *out_len ? *in_len : *out_len;
	memcpy(*out, *in, n);
	*in += n;
	*in_len -= n;
	*out += n;
	*out_len -= n;
	return 0;
}

int inflate_end(const struct inflate *z, struct err *e)
{
	if (z->open)
		return err_set(e, ERR_CORRUPT, "%s data ends too early", inflate_name(z));
	return 0;
}

const char *inflate_name(const struct inflate *z)
{
	static const char *const names[] = {"none", "gzip", "zstd", "xz", "bzip2"};

	return names[z->form];
}
