/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/keyfile.h"
#include "base/err.h"
#include "fmt/utf8.h"

#include <ctype.h>
#include <string.h>

static int wrong(struct err *e, const char *what, size_t line, const char *why)
{
	return err_set(e, ERR_USAGE, "%s: line %zu %s", what, line, why);
}

static int check_text(const char *s, size_t n, const char *what, size_t line, struct err *e)
{
	if (n > KEYFILE_LINE_MAX)
		return wrong(e, what, line, "is too long");
	for (size_t i = 0, k; i < n; i += k) {
		k = utf8_sequence(s + i, n - i);
		if (!k || !s[i])
			return wrong(e, what, line, "is no UTF-8 text");
	}
	return 0;
}

static int one_line(const char *s, size_t n, const char *what, size_t line, struct arena *a,
		    struct strs *out, struct err *e)
{
	const char *eq;
	size_t key;
	int r;

	if (n && s[n - 1] == '\r')
		n--;
	r = check_text(s, n, what, line, e);
	if (r < 0)
		return r;
	while (n && isspace((unsigned char)*s)) {
		s++;
		n--;
	}
	if (!n || *s == '#')
		return 0;
	eq = memchr(s, '=', n);
	/* Behind a key that stands alone blanks are let through, as docker does. */
	for (key = eq ? (size_t)(eq - s) : n; !eq && key && isspace((unsigned char)s[key - 1]);)
		key--;
	if (!key)
		return wrong(e, what, line, "has no variable name");
	for (size_t i = 0; i < key; i++)
		if (s[i] == ' ' || s[i] == '\t')
			return wrong(e, what, line, "has blanks in its variable name");
	arena_strs_add(a, out, arena_dupn(a, s, eq ? n : key));
	return 0;
}

int keyfile_parse(const char *text, size_t len, const char *what, struct arena *a, struct strs *out,
		  struct err *e)
{
	struct strs l = {0};

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	for (size_t line = 1; len; line++) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		int r = one_line(text, n, what, line, a, &l, e);

		if (r < 0)
			return r;
		n += nl != NULL;
		text += n;
		len -= n;
	}
	*out = l;
	return 0;
}
