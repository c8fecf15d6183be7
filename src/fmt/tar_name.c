/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tar_name.h"
#include "base/err.h"
#include "base/str.h"

#define WH     ".wh."
#define WH_LEN 4

/* Length of the next component that counts; skips slashes and ".". */
static size_t raw_next(const char **p, const char *end)
{
	const char *s = *p;

	for (;;) {
		const char *q;

		while (s < end && *s == '/')
			s++;
		q = s;
		while (q < end && *q != '/')
			q++;
		*p = s;
		if (q - s != 1 || *s != '.')
			return (size_t)(q - s);
		s = q;
	}
}

static int append(struct tar_name *out, const char *comp, size_t n, struct err *e)
{
	if (n == 2 && comp[0] == '.' && comp[1] == '.')
		return err_set(e, ERR_CORRUPT, "a name with '..' in it");
	if (memchr(comp, '\0', n))
		return err_set(e, ERR_CORRUPT, "a name with a NUL byte in it");
	if (n > LIMIT_NAME)
		return err_set(e, ERR_LIMIT, "a name of %zu bytes, at most %d are possible", n,
			       LIMIT_NAME);
	if (out->len + n + 1 > LIMIT_PATH)
		return err_set(e, ERR_LIMIT, "a path of more than %d bytes", LIMIT_PATH);
	if (out->len)
		out->path[out->len++] = '/';
	memcpy(out->path + out->len, comp, n);
	out->len += n;
	return 0;
}

/* The last component begins with .wh.: decide what it asks for. */
static int whiteout(struct tar_name *out, const char *comp, size_t n, struct err *e)
{
	if (n >= 2 * WH_LEN && !memcmp(comp + WH_LEN, WH, WH_LEN)) {
		out->kind =
		    n == 12 && !memcmp(comp, ".wh..wh..opq", 12) ? TAR_NAME_OPAQUE : TAR_NAME_META;
		return 0;
	}
	comp += WH_LEN;
	n -= WH_LEN;
	if (n == 0 || (n == 1 && comp[0] == '.'))
		return err_set(e, ERR_CORRUPT, "a whiteout without a name");
	out->kind = TAR_NAME_WHITEOUT;
	return append(out, comp, n, e);
}

int tar_name_parse(const char *name, size_t len, struct tar_name *out, struct err *e)
{
	const char *end = name + len;
	size_t n, depth = 0;
	int r;

	out->len = 0;
	out->kind = TAR_NAME_ROOT;
	while ((n = raw_next(&name, end))) {
		const char *comp = name, *rest = name += n;

		if (++depth > LIMIT_DEPTH)
			return err_set(e, ERR_LIMIT, "a path of more than %d directories",
				       LIMIT_DEPTH);
		out->kind = TAR_NAME_ENTRY;
		if (n < WH_LEN || memcmp(comp, WH, WH_LEN)) {
			r = append(out, comp, n, e);
		} else if (raw_next(&rest, end) == 0) {
			r = whiteout(out, comp, n, e);
		} else if (n >= 2 * WH_LEN && !memcmp(comp + WH_LEN, WH, WH_LEN)) {
			out->kind = TAR_NAME_META; /* below .wh..wh.plnk and its like */
			break;
		} else {
			r = err_set(e, ERR_CORRUPT, "a whiteout used as a directory");
		}
		if (r < 0)
			return r;
	}
	out->path[out->len] = '\0';
	return 0;
}

size_t tar_name_next(const char **path, const char **comp)
{
	size_t n = strcspn(*path, "/");

	*comp = *path;
	*path += n;
	*path += **path == '/';
	return n;
}
