/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation.  piece..piece+left is what the source gave and nobody has taken yet.  `data`
 * counts the bytes of the current entry's content that are still to come, `pad` the ones behind it
 * up to a whole block.  tarread_next() skips both, collects the headers that only prepare another
 * ('x', 'L', 'K', 'g') and then makes an entry of the first that does not.
 */
#include "fmt/tarread.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "fmt/tarnum.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCK 512

struct header {
	uint8_t name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	uint8_t magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155];
	uint8_t rest[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

/* What old GNU tar keeps from offset 386 on. */
#define GNU_RUN	     24 /* offset and length, 12 bytes each */
#define GNU_RUNS_AT  386
#define GNU_RUNS     4
#define GNU_MORE_AT  482
#define GNU_SIZE_AT  483
#define MORE_RUNS    21
#define MORE_MORE_AT 504

enum magic { MAGIC_V7, MAGIC_USTAR, MAGIC_STAR, MAGIC_GNU };

struct text {
	char *p;
	size_t len, cap;
	bool set;
};

struct tarread {
	struct tarread_source src;
	const uint8_t *piece;
	size_t left;
	uint64_t at; /* bytes of the archive taken */
	uint64_t data, pad;
	uint8_t block[BLOCK]; /* one that came in two pieces */
	struct text pax, gnu_name, gnu_link;
	struct tarpax x;
	char name[256 + 2], link[100 + 1]; /* of the header itself */
	/* Of a sparse file: which run is next and how much of it was given out. */
	bool sparse;
	size_t run;
	uint64_t run_done, file_off;
};

struct tarread *tarread_new(const struct tarread_source *src)
{
	struct tarread *t = calloc(1, sizeof(*t));

	if (!t)
		abort();
	t->src = *src;
	return t;
}

void tarread_free(struct tarread *t)
{
	if (!t)
		return;
	tarpax_free(&t->x);
	free(t->pax.p);
	free(t->gnu_name.p);
	free(t->gnu_link.p);
	free(t);
}

/* ---- bytes ---- */

/* At least one byte in the piece: 1; the end: 0. */
static int fill(struct tarread *t, struct err *e)
{
	while (!t->left) {
		const void *p;
		ssize_t n = t->src.next(t->src.arg, &p, e);

		if (n <= 0)
			return (int)n;
		t->piece = p;
		t->left = (size_t)n;
	}
	return 1;
}

static int ended(const struct tarread *t, struct err *e)
{
	return err_set(e, ERR_CORRUPT,
		       t->at < BLOCK ? TARREAD_NO_ARCHIVE : "truncated tar archive");
}

static void advance(struct tarread *t, size_t n)
{
	t->piece += n;
	t->left -= n;
	t->at += n;
}

static int skip(struct tarread *t, uint64_t n, struct err *e)
{
	while (n) {
		int r = fill(t, e);
		size_t take;

		if (r <= 0)
			return r < 0 ? r : ended(t, e);
		take = n < t->left ? (size_t)n : t->left;
		advance(t, take);
		n -= take;
	}
	return 0;
}

static int take(struct tarread *t, void *out, size_t n, struct err *e)
{
	while (n) {
		int r = fill(t, e);
		size_t have;

		if (r <= 0)
			return r < 0 ? r : ended(t, e);
		have = n < t->left ? n : t->left;
		memcpy(out, t->piece, have);
		out = (char *)out + have;
		advance(t, have);
		n -= have;
	}
	return 0;
}

/* The next block: 1, or 0 when the archive ends right here. */
static int block(struct tarread *t, const uint8_t **out, struct err *e)
{
	int r = fill(t, e);

	if (r <= 0)
		return r;
	if (t->left >= BLOCK) {
		*out = t->piece;
		advance(t, BLOCK);
		return 1;
	}
	*out = t->block;
	r = take(t, t->block, BLOCK, e);
	return r < 0 ? r : 1;
}

static bool zeros(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && !memcmp(p, p + 1, len - 1));
}

/* Content of a header that prepares another, with a NUL behind it. */
static int body(struct tarread *t, struct text *out, uint64_t size, const char *what, struct err *e)
{
	int r;

	if (size > LIMIT_PAX)
		return err_set(e, ERR_LIMIT, "%s of more than %d bytes", what, LIMIT_PAX);
	if (size + 1 > out->cap) {
		out->cap = size < 4096 ? 4096 : LIMIT_PAX + 1;
		out->p = realloc(out->p, out->cap);
		if (!out->p)
			abort();
	}
	r = take(t, out->p, size, e);
	if (r >= 0)
		r = skip(t, -size & (BLOCK - 1), e);
	out->p[size] = '\0';
	out->len = size;
	out->set = true;
	return r;
}

/* ---- headers ---- */

static bool sum_right(const struct header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	int64_t want, plain = 0, with_sign = 0;

	if (tarnum_field(h->sum, sizeof(h->sum), &want) < 0)
		return false;
	for (size_t i = 0; i < BLOCK; i++) {
		uint8_t c = i >= offsetof(struct header, sum) && i < offsetof(struct header, type)
				? ' '
				: p[i];

		plain += c;
		with_sign += (int8_t)c; /* as some old programs summed */
	}
	return want == plain || want == with_sign;
}

static enum magic magic_of(const struct header *h)
{
	if (!memcmp(h->magic, "ustar", 6))
		return memcmp(h->rest + 8, "tar", 4) ? MAGIC_USTAR : MAGIC_STAR;
	return memcmp(h->magic, "ustar ", 6) ? MAGIC_V7 : MAGIC_GNU;
}

/* The next header: 1, or 0 at the end of the archive. */
static int header(struct tarread *t, struct header *out, struct err *e)
{
	const uint8_t *p;
	int r = block(t, &p, e);

	if (r <= 0)
		return r;
	if (zeros(p, BLOCK)) {
		r = block(t, &p, e);
		if (r < 0)
			return r;
		if ((r && !zeros(p, BLOCK)) || !zeros(t->piece, t->left))
			return err_set(e, ERR_CORRUPT, "bytes behind the end of the tar");
		return 0;
	}
	memcpy(out, p, BLOCK);
	if (sum_right(out))
		return 1;
	return t->at == BLOCK ? err_set(e, ERR_CORRUPT, TARREAD_NO_ARCHIVE)
			      : err_set(e, ERR_CORRUPT, "damaged tar header at byte %llu",
					(unsigned long long)t->at - BLOCK);
}

static int number(const uint8_t *p, size_t len, const char *what, int64_t *out, struct err *e)
{
	if (tarnum_field(p, len, out) == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "malformed %s in a tar header", what);
}

#define NUMBER(field, what, out, e) number(field, sizeof(field), what, out, e)

static int stored_size(const struct header *h, uint64_t *out, struct err *e)
{
	int64_t v;
	int r = NUMBER(h->size, "size", &v, e);

	if (r < 0)
		return r;
	if (v < 0)
		return err_set(e, ERR_CORRUPT, "malformed size in a tar header");
	*out = (uint64_t)v;
	return 0;
}

/* A header that prepares another: 1 when this was one. */
static int prepare(struct tarread *t, const struct header *h, struct err *e)
{
	struct text global = {0};
	uint64_t size = 0;
	int r;

	if (!strchr("xXgLKV", h->type) || !h->type)
		return 0;
	r = stored_size(h, &size, e);
	if (r < 0)
		return r;
	switch (h->type) {
	case 'x':
	case 'X': /* Solaris, the same */
		r = body(t, &t->pax, size, "a pax header", e);
		break;
	case 'L':
		r = body(t, &t->gnu_name, size, "a long name", e);
		break;
	case 'K':
		r = body(t, &t->gnu_link, size, "a long link", e);
		break;
	case 'g': /* bounded and looked at, then forgotten: see the decision */
		r = body(t, &global, size, "a global pax header", e);
		if (r >= 0) {
			tarpax_reset(&t->x);
			r = tarpax_parse(&t->x, global.p, global.len, e);
		}
		free(global.p);
		break;
	default: /* 'V', the archive's own name */
		r = skip(t, size + (-size & (BLOCK - 1)), e);
		break;
	}
	return r < 0 ? r : 1;
}

static size_t copy_field(char *out, const uint8_t *p, size_t max)
{
	size_t n = strnlen((const char *)p, max);

	memcpy(out, p, n);
	return n;
}

/* Name and link of the header, of GNU's long ones, of pax: the latter wins. */
static int names(struct tarread *t, const struct header *h, struct tarread_entry *out,
		 struct err *e)
{
	enum magic m = magic_of(h);
	size_t n = 0;

	if (m == MAGIC_USTAR || m == MAGIC_STAR) {
		n = copy_field(t->name, h->prefix, m == MAGIC_STAR ? 131 : sizeof(h->prefix));
		if (n)
			t->name[n++] = '/';
	}
	n += copy_field(t->name + n, h->name, sizeof(h->name));
	t->name[n] = '\0';
	out->name = (struct tarpax_value){t->name, n};
	n = copy_field(t->link, h->link, sizeof(h->link));
	t->link[n] = '\0';
	out->link = (struct tarpax_value){t->link, n};
	if (t->gnu_name.set)
		out->name = (struct tarpax_value){t->gnu_name.p, strlen(t->gnu_name.p)};
	if (t->gnu_link.set)
		out->link = (struct tarpax_value){t->gnu_link.p, strlen(t->gnu_link.p)};
	if (t->x.path.p)
		out->name = t->x.path;
	if (t->x.linkpath.p)
		out->link = t->x.linkpath;
	if (t->x.sparse_name.p)
		out->name = t->x.sparse_name;
	if (!out->name.len)
		return err_set(e, ERR_CORRUPT, "an entry without a name");
	if (memchr(out->name.p, 0, out->name.len) || memchr(out->link.p, 0, out->link.len))
		return err_set(e, ERR_CORRUPT, "a name with a NUL byte");
	return 0;
}

static int numbers(struct tarread *t, const struct header *h, struct tarread_entry *out,
		   struct err *e)
{
	const struct tarpax *x = &t->x;
	int64_t mode;
	int r = NUMBER(h->mode, "mode", &mode, e);

	if (r >= 0)
		r = NUMBER(h->uid, "owner", &out->uid, e);
	if (r >= 0)
		r = NUMBER(h->gid, "group", &out->gid, e);
	if (r >= 0)
		r = NUMBER(h->mtime, "time", &out->mtime, e);
	if (r >= 0 && magic_of(h) != MAGIC_V7)
		r = NUMBER(h->major, "device", &out->major, e);
	if (r >= 0 && magic_of(h) != MAGIC_V7)
		r = NUMBER(h->minor, "device", &out->minor, e);
	if (r < 0)
		return r;
	out->mode = (uint32_t)mode & 07777;
	out->uid = x->has_uid ? x->uid : out->uid;
	out->gid = x->has_gid ? x->gid : out->gid;
	out->major = x->has_major ? x->major : out->major;
	out->minor = x->has_minor ? x->minor : out->minor;
	if (x->has_mtime) {
		out->mtime = x->mtime;
		out->mtime_nsec = x->mtime_nsec;
	}
	return 0;
}

static int type_of(const struct header *h, const struct tarread_entry *in, enum tarread_type *out,
		   struct err *e)
{
	switch (h->type) {
	case '\0': /* before there were types a slash at the end said it */
		*out = in->name.p[in->name.len - 1] == '/' ? TARREAD_DIR : TARREAD_FILE;
		return 0;
	case '0':
	case '7':
	case 'S':
		*out = TARREAD_FILE;
		return 0;
	case '1':
		*out = TARREAD_HARDLINK;
		return 0;
	case '2':
		*out = TARREAD_SYMLINK;
		return 0;
	case '3':
		*out = TARREAD_CHAR;
		return 0;
	case '4':
		*out = TARREAD_BLOCK;
		return 0;
	case '5':
		*out = TARREAD_DIR;
		return 0;
	case '6':
		*out = TARREAD_FIFO;
		return 0;
	default:
		return err_set(e, ERR_UNSUPPORTED,
			       "an entry of type '%c', which Linux layers do not have",
			       h->type >= 0x20 && h->type < 0x7f ? h->type : '?');
	}
}

/* ---- sparse files ---- */

static int sparse_malformed(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "malformed sparse map");
}

static int gnu_runs(struct tarread *t, const uint8_t *p, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++, p += GNU_RUN) {
		int64_t off, len;
		int r;

		/* The list ends early with an entry that is not filled in. */
		if (!p[0] && !p[12])
			return 0;
		r = tarnum_field(p, 12, &off);
		if (r >= 0)
			r = tarnum_field(p + 12, 12, &len);
		r = r < 0 ? sparse_malformed(e) : tarpax_run_add(&t->x, off, len, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int gnu_sparse(struct tarread *t, const struct header *h, struct err *e)
{
	const uint8_t *p = (const uint8_t *)h;
	bool more = p[GNU_MORE_AT];
	int r = number(p + GNU_SIZE_AT, 12, "size", &t->x.sparse_size, e);

	t->x.has_sparse_size = true;
	if (r >= 0)
		r = gnu_runs(t, p + GNU_RUNS_AT, GNU_RUNS, e);
	while (r >= 0 && more) {
		r = block(t, &p, e);
		if (r <= 0)
			return r < 0 ? r : ended(t, e);
		more = p[MORE_MORE_AT];
		r = gnu_runs(t, p, MORE_RUNS, e);
	}
	return r;
}

/* "offset,length,offset,length..." */
static int map_0_1(struct tarread *t, struct err *e)
{
	const char *p = t->x.sparse_map.p, *end = p + t->x.sparse_map.len;
	int64_t v[2];
	int k = 0, r = 0;

	t->x.nruns = 0;
	while (r >= 0 && p < end) {
		const char *stop = memchr(p, ',', (size_t)(end - p));

		stop = stop ? stop : end;
		if (tarnum_decimal(p, (size_t)(stop - p), &v[k]) < 0)
			return sparse_malformed(e);
		p = stop + 1;
		k = !k;
		if (!k)
			r = tarpax_run_add(&t->x, v[0], v[1], e);
	}
	return r < 0 ? r : k ? sparse_malformed(e) : 0;
}

struct line_reader {
	uint8_t block[BLOCK];
	size_t at; /* BLOCK: the next one is wanted */
};

/* A number and a newline, of the map that stands before the data. */
static int line(struct tarread *t, struct line_reader *l, int64_t *out, struct err *e)
{
	char text[24];
	size_t n = 0;
	int r;

	for (;;) {
		char c;

		if (l->at == BLOCK) {
			if (t->data < BLOCK)
				return sparse_malformed(e);
			r = take(t, l->block, BLOCK, e);
			if (r < 0)
				return r;
			t->data -= BLOCK;
			l->at = 0;
		}
		c = (char)l->block[l->at++];
		if (c == '\n')
			break;
		if (n == sizeof(text))
			return sparse_malformed(e);
		text[n++] = c;
	}
	return tarnum_decimal(text, n, out) < 0 ? sparse_malformed(e) : 0;
}

static int map_1_0(struct tarread *t, struct err *e)
{
	struct line_reader l = {.at = BLOCK};
	int64_t n, off, len;
	int r = line(t, &l, &n, e);

	if (r >= 0 && n < 0)
		return sparse_malformed(e);
	for (int64_t i = 0; r >= 0 && i < n; i++) {
		r = line(t, &l, &off, e);
		if (r >= 0)
			r = line(t, &l, &len, e);
		if (r >= 0)
			r = tarpax_run_add(&t->x, off, len, e);
	}
	return r;
}

/* Everything about holes.  t->data is the stored size. */
static int sparse(struct tarread *t, const struct header *h, struct tarread_entry *out,
		  struct err *e)
{
	struct tarpax *x = &t->x;
	uint64_t sum = 0;
	int r = 0;

	if (h->type == 'S')
		r = gnu_sparse(t, h, e);
	else if (x->sparse_major > 1 || x->sparse_minor > 1)
		return err_set(e, ERR_UNSUPPORTED, "GNU sparse format %lld.%lld",
			       (long long)x->sparse_major, (long long)x->sparse_minor);
	else if (x->sparse_major == 1)
		r = map_1_0(t, e);
	else if (x->sparse_map.p)
		r = map_0_1(t, e);
	else if (x->sparse_count < 0)
		return 0;
	if (r < 0)
		return r;
	for (size_t i = 0; i < x->nruns; i++)
		sum += x->runs[i].len;
	/* As stored: what is not accounted for would be padding that hides something. */
	if (!x->has_sparse_size || x->sparse_size < 0 || sum != t->data ||
	    (x->nruns &&
	     x->runs[x->nruns - 1].off + x->runs[x->nruns - 1].len > (uint64_t)x->sparse_size))
		return sparse_malformed(e);
	t->sparse = out->sparse = true;
	out->size = (uint64_t)x->sparse_size;
	out->runs = x->runs;
	out->nruns = x->nruns;
	return 0;
}

/* ---- entries ---- */

static int content(struct tarread *t, const struct header *h, struct tarread_entry *out,
		   struct err *e)
{
	uint64_t size = 0;
	int r = stored_size(h, &size, e);

	if (r < 0)
		return r;
	if (t->x.has_size && t->x.size < 0)
		return err_set(e, ERR_CORRUPT, "malformed size in a pax header");
	if (t->x.has_size)
		size = (uint64_t)t->x.size;
	if (out->type != TARREAD_FILE)
		return 0;
	out->size = t->data = size;
	t->pad = -size & (BLOCK - 1);
	return sparse(t, h, out, e);
}

static int entry(struct tarread *t, const struct header *h, struct tarread_entry *out,
		 struct err *e)
{
	int r = 0;

	*out = (struct tarread_entry){0};
	tarpax_reset(&t->x);
	if (t->pax.set)
		r = tarpax_parse(&t->x, t->pax.p, t->pax.len, e);
	if (r >= 0)
		r = names(t, h, out, e);
	if (r >= 0)
		r = type_of(h, out, &out->type, e);
	if (r >= 0)
		r = numbers(t, h, out, e);
	if (r >= 0)
		r = content(t, h, out, e);
	if (r < 0)
		return out->name.len ? err_wrap(e, r, "'%.200s'", out->name.p) : r;
	out->xattrs = t->x.xattrs;
	out->nxattrs = t->x.nxattrs;
	out->acl_access = t->x.acl_access;
	out->acl_default = t->x.acl_default;
	out->ignored = t->x.ignored;
	return 1;
}

int tarread_next(struct tarread *t, struct tarread_entry *out, struct err *e)
{
	struct header h;
	int r = skip(t, t->data, e);

	if (r >= 0)
		r = skip(t, t->pad, e);
	if (r < 0)
		return r;
	t->data = t->pad = 0;
	t->pax.set = t->gnu_name.set = t->gnu_link.set = t->sparse = false;
	t->run = 0;
	t->run_done = t->file_off = 0;
	do {
		r = header(t, &h, e);
		if (r <= 0) {
			if (r == 0 && (t->pax.set || t->gnu_name.set || t->gnu_link.set))
				return ended(t, e);
			return r;
		}
		r = prepare(t, &h, e);
	} while (r > 0);
	return r < 0 ? r : entry(t, &h, out, e);
}

/* How much may be given out in one piece, and where it belongs. */
static uint64_t room(struct tarread *t, uint64_t *off)
{
	const struct tarpax_run *run;

	if (!t->sparse) {
		*off = t->file_off;
		return t->data;
	}
	while (t->run_done == t->x.runs[t->run].len) { /* data left means a run left */
		t->run++;
		t->run_done = 0;
	}
	run = &t->x.runs[t->run];
	*off = run->off + t->run_done;
	return run->len - t->run_done;
}

int tarread_data(struct tarread *t, const void **p, size_t *len, uint64_t *off, struct err *e)
{
	uint64_t most;
	int r;

	if (!t->data)
		return 0;
	r = fill(t, e);
	if (r <= 0)
		return r < 0 ? r : ended(t, e);
	most = room(t, off);
	*len = most < t->left ? (size_t)most : t->left;
	*p = t->piece;
	advance(t, *len);
	t->data -= *len;
	t->run_done += *len;
	t->file_off += *len;
	return 1;
}
