/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/acl_text.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32
};

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct word {
	const char *p;
	size_t len;
};

static bool is(struct word w, const char *name)
{
	return (w.len == 1 && *w.p == *name) ||
	       (w.len == strlen(name) && !memcmp(w.p, name, w.len));
}

static struct word trimmed(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct word){p, (size_t)(end - p)};
}

/* Returns how many fields there are; at most max are kept. */
static size_t split(struct word entry, struct word *out, size_t max)
{
	const char *p = entry.p, *end = entry.p + entry.len;
	size_t n = 0;

	for (;;) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		if (n < max)
			out[n] = trimmed(p, colon ? colon : end);
		n++;
		if (!colon)
			return n;
		p = colon + 1;
	}
}

static int parse_perm(struct word w, uint16_t *out)
{
	*out = 0;
	for (size_t i = 0; i < w.len; i++) {
		const char *at = strchr("xwr-", w.p[i]);

		if (!w.p[i] || !at)
			return -EBADMSG;
		if (*at != '-')
			*out |= (uint16_t)(1 << (at - "xwr-"));
	}
	return w.len ? 0 : -EBADMSG;
}

static int parse_id(struct word w, uint32_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < w.len; i++) {
		if (w.p[i] < '0' || w.p[i] > '9')
			return -ENOENT;
		v = v * 10 + (uint64_t)(w.p[i] - '0');
		if (v >= UINT32_MAX)
			return -EBADMSG;
	}
	*out = (uint32_t)v;
	return w.len ? 0 : -ENOENT;
}

static int parse_entry(struct word text, struct acl_entry *out)
{
	struct word all[6], *f = all;
	size_t n = split(text, all, 6);
	bool named, user;
	int r;

	if (n > 6)
		return -EBADMSG;
	if (is(f[0], "default")) {
		f++;
		n--;
	}
	/* "mask:rwx" and "other:rwx" may leave out the empty name. */
	if (n == 2 && (is(f[0], "mask") || is(f[0], "other"))) {
		f[2] = f[1];
		f[1].len = 0;
		n = 3;
	}
	if (n < 3 || n > 4)
		return -EBADMSG;
	named = f[1].len > 0;
	user = is(f[0], "user");
	*out = (struct acl_entry){.id = UINT32_MAX};
	r = parse_perm(f[2], &out->perm);
	if (r < 0)
		return r;
	if (user || is(f[0], "group")) {
		out->tag =
		    user ? (named ? TAG_USER : TAG_USER_OBJ) : (named ? TAG_GROUP : TAG_GROUP_OBJ);
		return named ? parse_id(n == 4 ? f[3] : f[1], &out->id) : 0;
	}
	if (named || (!is(f[0], "mask") && !is(f[0], "other")))
		return -EBADMSG;
	out->tag = is(f[0], "mask") ? TAG_MASK : TAG_OTHER;
	return 0;
}

static int order(const void *a, const void *b)
{
	const struct acl_entry *x = a, *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int write_all(struct acl_entry *v, size_t n, uint8_t *out)
{
	uint32_t version = htole32(2);

	if (!n)
		return 0;
	qsort(v, n, sizeof(*v), order);
	memcpy(out, &version, 4);
	for (size_t i = 0; i < n; i++) {
		struct acl_entry x = {htole16(v[i].tag), htole16(v[i].perm), htole32(v[i].id)};

		memcpy(out + 4 + 8 * i, &x, 8);
	}
	return (int)(4 + 8 * n);
}

int acl_text_parse(const char *p, size_t len, uint8_t *out)
{
	const char *end = p + len;
	struct acl_entry v[ACL_TEXT_ENTRIES];
	size_t n = 0;

	while (p < end) {
		const char *stop = p, *hash;
		struct word w;
		int r;

		while (stop < end && *stop != ',' && *stop != '\n')
			stop++;
		hash = memchr(p, '#', (size_t)(stop - p));
		w = trimmed(p, hash ? hash : stop);
		/* A comment may hold commas; it ends with its line. */
		if (hash)
			while (stop < end && *stop != '\n')
				stop++;
		p = stop + 1;
		if (!w.len)
			continue;
		if (n == ACL_TEXT_ENTRIES)
			return -E2BIG;
		r = parse_entry(w, &v[n]);
		if (r < 0)
			return r;
		n++;
	}
	return write_all(v, n, out);
}
