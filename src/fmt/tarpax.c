/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tarpax.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/limits.h"
#include "fmt/tarnum.h"

#include <errno.h>
#include <stdlib.h>

void tarpax_reset(struct tarpax *x)
{
	*x = (struct tarpax){.xattrs = x->xattrs,
			     .cap_xattrs = x->cap_xattrs,
			     .runs = x->runs,
			     .cap_runs = x->cap_runs,
			     .sparse_major = -1,
			     .sparse_minor = -1,
			     .sparse_count = -1};
}

void tarpax_free(struct tarpax *x)
{
	free(x->xattrs);
	free(x->runs);
	*x = (struct tarpax){0};
}

int tarpax_run_add(struct tarpax *x, int64_t off, int64_t len, struct err *e)
{
	uint64_t end = x->nruns ? x->runs[x->nruns - 1].off + x->runs[x->nruns - 1].len : 0;

	if (off < 0 || len < 0 || (uint64_t)off < end || off > INT64_MAX - len)
		return err_set(e, ERR_CORRUPT, "malformed sparse map");
	if (x->nruns == LIMIT_RUNS)
		return err_set(e, ERR_LIMIT, "a sparse file of more than %d pieces", LIMIT_RUNS);
	if (x->nruns == x->cap_runs) {
		x->cap_runs = x->cap_runs ? x->cap_runs * 2 : 64;
		x->runs = reallocarray(x->runs, x->cap_runs, sizeof(*x->runs));
		if (!x->runs)
			abort();
	}
	x->runs[x->nruns++] = (struct tarpax_run){(uint64_t)off, (uint64_t)len};
	return 0;
}

static int xattr_add(struct tarpax *x, const char *name, const void *value, size_t len,
		     struct err *e)
{
	/* bsdtar writes each twice, in its own form and in star's. */
	for (size_t i = 0; i < x->nxattrs; i++)
		if (streq(x->xattrs[i].name, name)) {
			x->xattrs[i] = (struct tarpax_xattr){name, value, len};
			return 0;
		}
	if (x->nxattrs == LIMIT_XATTRS)
		return err_set(e, ERR_LIMIT, "more than %d extended attributes", LIMIT_XATTRS);
	if (x->nxattrs == x->cap_xattrs) {
		x->cap_xattrs = x->cap_xattrs ? x->cap_xattrs * 2 : 8;
		x->xattrs = reallocarray(x->xattrs, x->cap_xattrs, sizeof(*x->xattrs));
		if (!x->xattrs)
			abort();
	}
	x->xattrs[x->nxattrs++] = (struct tarpax_xattr){name, value, len};
	return 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %XX in place; a NUL must not come out. */
static int url_decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (*s == '%') {
			int hi = hex(s[1]), lo = hi < 0 ? -1 : hex(s[2]);

			if (lo < 0 || (hi == 0 && lo == 0))
				return -EBADMSG;
			*out++ = (char)(hi << 4 | lo);
			s += 2;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
	return 0;
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* In place, with or without padding: libarchive writes none. */
static int base64_decode(char *s, size_t len, size_t *out)
{
	uint32_t bits = 0;
	int n = 0;
	size_t used = 0;

	while (len && s[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int d = base64_digit(s[i]);

		if (d < 0)
			return -EBADMSG;
		bits = bits << 6 | (uint32_t)d;
		n += 6;
		if (n >= 8) {
			n -= 8;
			s[used++] = (char)(bits >> n & 0xff);
		}
	}
	*out = used;
	return n == 6 ? -EBADMSG : 0;
}

struct record {
	char *key, *value;
	size_t len; /* of the value */
};

static int bad(const struct record *rec, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "malformed '%.60s' in a pax header", rec->key);
}

static int take_xattr(struct tarpax *x, struct record *rec, bool encoded, char *name, struct err *e)
{
	if (encoded && (url_decode(name) < 0 || base64_decode(rec->value, rec->len, &rec->len) < 0))
		return bad(rec, e);
	if (!*name)
		return bad(rec, e);
	return xattr_add(x, name, rec->value, rec->len, e);
}

static const struct {
	const char *key;
	size_t value, has; /* offsets into struct tarpax */
} numbers[] = {
#define NUMBER(key, field)                                                                         \
	{                                                                                          \
		key, offsetof(struct tarpax, field), offsetof(struct tarpax, has_##field)          \
	}
    NUMBER("size", size),
    NUMBER("uid", uid),
    NUMBER("gid", gid),
    NUMBER("SCHILY.devmajor", major),
    NUMBER("SCHILY.devminor", minor),
    NUMBER("GNU.sparse.size", sparse_size),
    NUMBER("GNU.sparse.realsize", sparse_size),
#undef NUMBER
};
_Static_assert(sizeof(bool) == 1, "has_* are written as bytes");

static const struct {
	const char *key;
	size_t value;
} texts[] = {
    {"path", offsetof(struct tarpax, path)},
    {"linkpath", offsetof(struct tarpax, linkpath)},
    {"SCHILY.acl.access", offsetof(struct tarpax, acl_access)},
    {"SCHILY.acl.default", offsetof(struct tarpax, acl_default)},
    {"GNU.sparse.map", offsetof(struct tarpax, sparse_map)},
    {"GNU.sparse.name", offsetof(struct tarpax, sparse_name)},
};

/* 1: it was one of them. */
static int take_number(struct tarpax *x, const struct record *rec, struct err *e)
{
	static const bool yes = true;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		int64_t v;

		if (!streq(rec->key, numbers[i].key))
			continue;
		/* An empty value takes an earlier one back. */
		if (rec->len && tarnum_decimal(rec->value, rec->len, &v) < 0)
			return bad(rec, e);
		memset((char *)x + numbers[i].has, rec->len ? yes : 0, 1);
		if (rec->len)
			memcpy((char *)x + numbers[i].value, &v, sizeof(v));
		return 1;
	}
	return 0;
}

static int take_text(struct tarpax *x, const struct record *rec)
{
	struct tarpax_value v = {rec->len ? rec->value : NULL, rec->len};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (streq(rec->key, texts[i].key)) {
			memcpy((char *)x + texts[i].value, &v, sizeof(v));
			return 1;
		}
	return 0;
}

/* Sparse format 0.0 repeats offset and numbytes. */
static int take_sparse(struct tarpax *x, const struct record *rec, struct err *e)
{
	const char *key = str_after(rec->key, "GNU.sparse.");
	int64_t v;

	if (!key)
		return 0;
	if (tarnum_decimal(rec->value, rec->len, &v) < 0 || v < 0)
		return bad(rec, e);
	if (streq(key, "major"))
		x->sparse_major = v;
	else if (streq(key, "minor"))
		x->sparse_minor = v;
	else if (streq(key, "numblocks"))
		x->sparse_count = v;
	else if (streq(key, "offset"))
		return tarpax_run_add(x, v, 0, e);
	else if (!streq(key, "numbytes"))
		return bad(rec, e);
	else if (!x->nruns || x->runs[x->nruns - 1].len ||
		 x->runs[x->nruns - 1].off > (uint64_t)(INT64_MAX - v))
		return bad(rec, e);
	else
		x->runs[x->nruns - 1].len = (uint64_t)v;
	return 0;
}

static int take(struct tarpax *x, struct record *rec, struct err *e)
{
	char *star = (char *)(uintptr_t)str_after(rec->key, "SCHILY.xattr.");
	char *bsd = (char *)(uintptr_t)str_after(rec->key, "LIBARCHIVE.xattr.");
	int r;

	/* An empty value takes others back; an attribute may well have none. */
	if (star || bsd)
		return take_xattr(x, rec, bsd != NULL, star ? star : bsd, e);
	if (streq(rec->key, "mtime")) {
		x->has_mtime = rec->len > 0;
		if (rec->len && tarnum_time(rec->value, rec->len, &x->mtime, &x->mtime_nsec) < 0)
			return bad(rec, e);
		return 0;
	}
	r = take_number(x, rec, e);
	if (r)
		return r < 0 ? r : 0;
	if (take_text(x, rec))
		return 0;
	x->ignored += str_after(rec->key, "SCHILY.acl.") != NULL;
	return take_sparse(x, rec, e);
}

/* "LENGTH KEY=VALUE\n"; the length counts itself. */
static int next_record(char **p, const char *end, struct record *out, struct err *e)
{
	size_t left = (size_t)(end - *p), len = 0, at = 0;
	char *eq;

	while (at < left && (*p)[at] >= '0' && (*p)[at] <= '9' && len <= left)
		len = len * 10 + (size_t)((*p)[at++] - '0');
	if (!at || at == left || (*p)[at] != ' ' || len > left || len < at + 3 ||
	    (*p)[len - 1] != '\n')
		return err_set(e, ERR_CORRUPT, "malformed pax header");
	out->key = *p + at + 1;
	eq = memchr(out->key, '=', len - at - 2);
	if (!eq || eq == out->key || memchr(out->key, 0, (size_t)(eq - out->key)))
		return err_set(e, ERR_CORRUPT, "malformed pax header");
	*eq = '\0';
	out->value = eq + 1;
	out->len = (size_t)(*p + len - 1 - out->value);
	out->value[out->len] = '\0';
	*p += len;
	return 0;
}

int tarpax_parse(struct tarpax *x, char *text, size_t len, struct err *e)
{
	char *p = text;
	const char *end = text + len;
	int r = 0;

	while (r >= 0 && p < end) {
		struct record rec = {0};

		r = next_record(&p, end, &rec, e);
		if (r >= 0)
			r = take(x, &rec, e);
	}
	return r;
}
