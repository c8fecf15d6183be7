/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/tarwrite.h"
#include "base/buf.h"
#include "base/err.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The block, as POSIX lays it out. */
struct ustar {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct ustar) == TARWRITE_BLOCK, "one block");

#define MAX_ID	 07777777u		/* seven octal digits */
#define MAX_LONG UINT64_C(077777777777) /* eleven */
/* Names, targets and attributes of one entry: more than Linux lets an inode have. */
#define PAX_MAX (4u << 20)

static void octal(char *out, size_t n, uint64_t v)
{
	out[n - 1] = '\0';
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		out[i] = (char)('0' + (v & 7));
}

/* "LEN KEY=VALUE\n" where LEN counts itself. */
static void record(struct buf *out, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3, n = rest, digits;

	do {
		digits = (size_t)snprintf(NULL, 0, "%zu", n);
		if (n == rest + digits)
			break;
		n = rest + digits;
	} while (1);
	buf_printf(out, "%zu %s=", n, key);
	buf_add(out, value, len);
	buf_puts(out, "\n");
}

static void number(struct buf *out, const char *key, uint64_t v)
{
	char text[24];

	record(out, key, text, (size_t)snprintf(text, sizeof(text), "%" PRIu64, v));
}

static void time_record(const struct tarwrite_entry *t, struct buf *out)
{
	char text[48];
	int64_t s = t->mtime;
	uint32_t ns = t->mtime_nsec;
	int n;

	/* A point before the epoch is written as a negative decimal fraction. */
	if (s < 0 && ns) {
		s++;
		ns = 1000000000 - ns;
		n = snprintf(text, sizeof(text), "-%" PRIu64, (uint64_t)-s);
	} else {
		n = snprintf(text, sizeof(text), "%" PRId64, s);
	}
	if (ns)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ".%09u", ns);
	while (ns && text[n - 1] == '0')
		n--;
	record(out, "mtime", text, (size_t)n);
}

/* Where a name is cut so that both parts fit, or 0. */
static size_t cut(const char *name, size_t len)
{
	for (size_t i = len < 156 ? len : 156; i-- > 1;)
		if (name[i] == '/' && len - i - 1 <= 100 && len - i - 1 > 0 && i <= 155)
			return i;
	return 0;
}

static bool plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

static int pax(const struct tarwrite_entry *t, const char *name, uint64_t size, struct buf *out,
	       struct err *e)
{
	size_t len = strlen(name);

	if ((len > 100 && !cut(name, len)) || !plain(name))
		record(out, "path", name, len);
	if (t->link && (strlen(t->link) > 100 || !plain(t->link)))
		record(out, "linkpath", t->link, strlen(t->link));
	if (size > MAX_LONG)
		number(out, "size", size);
	if (t->uid > MAX_ID)
		number(out, "uid", t->uid);
	if (t->gid > MAX_ID)
		number(out, "gid", t->gid);
	if (t->mtime < 0 || (uint64_t)t->mtime > MAX_LONG || t->mtime_nsec)
		time_record(t, out);
	for (size_t i = 0; i < t->nxattrs; i++) {
		char key[300];

		if (!*t->xattrs[i].name || strchr(t->xattrs[i].name, '=') ||
		    strlen(t->xattrs[i].name) > 255)
			return err_set(e, ERR_USAGE, "an attribute's name cannot be written");
		/* As star, GNU tar and Go have it. */
		snprintf(key, sizeof(key), "SCHILY.xattr.%s", t->xattrs[i].name);
		record(out, key, t->xattrs[i].value, t->xattrs[i].len);
	}
	return buf_fail(out, "pax header", e);
}

static void put_name(struct ustar *h, const char *name)
{
	size_t len = strlen(name), at = len > 100 ? cut(name, len) : 0;

	if (at) {
		memcpy(h->prefix, name, at);
		memcpy(h->name, name + at + 1, len - at - 1);
	} else {
		/* Too long: the pax header has the whole. */
		memcpy(h->name, name, len < 100 ? len : 100);
	}
}

static void put(struct ustar *h, struct buf *out)
{
	unsigned int sum = 0;

	memcpy(h->magic, "ustar", 6);
	memcpy(h->version, "00", 2);
	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += ((const unsigned char *)h)[i];
	octal(h->sum, 7, sum);
	h->sum[7] = ' ';
	buf_add(out, h, sizeof(*h));
}

static void put_pax(const struct buf *records, struct buf *out)
{
	struct ustar h = {.type = 'x'};

	put_name(&h, "PaxHeaders/0");
	octal(h.mode, sizeof(h.mode), 0644);
	octal(h.uid, sizeof(h.uid), 0);
	octal(h.gid, sizeof(h.gid), 0);
	octal(h.size, sizeof(h.size), records->len);
	octal(h.mtime, sizeof(h.mtime), 0);
	put(&h, out);
	buf_add(out, records->p, records->len);
	tarwrite_pad(records->len, out);
}

int tarwrite_header(const struct tarwrite_entry *t, struct buf *out, struct err *e)
{
	auto_buf struct buf records = BUF_INIT(PAX_MAX), name = BUF_INIT(1 << 16);
	uint64_t size = t->type == TARWRITE_FILE ? t->size : 0;
	uint64_t mtime = t->mtime < 0 || (uint64_t)t->mtime > MAX_LONG ? 0 : (uint64_t)t->mtime;
	bool device = t->type == TARWRITE_CHAR || t->type == TARWRITE_BLOCKDEV;
	struct ustar h = {.type = (char)t->type};
	int r;

	if (!*t->name)
		return err_set(e, ERR_USAGE, "an archive's entry has no name");
	buf_puts(&name, t->name);
	if (t->type == TARWRITE_DIR && name.p[name.len - 1] != '/')
		buf_puts(&name, "/");
	r = buf_fail(&name, "name", e);
	if (r >= 0)
		r = pax(t, name.p, size, &records, e);
	if (r < 0)
		return r;
	if (records.len)
		put_pax(&records, out);
	put_name(&h, name.p);
	octal(h.mode, sizeof(h.mode), t->mode & 07777);
	octal(h.uid, sizeof(h.uid), t->uid > MAX_ID ? 0 : t->uid);
	octal(h.gid, sizeof(h.gid), t->gid > MAX_ID ? 0 : t->gid);
	octal(h.size, sizeof(h.size), size > MAX_LONG ? 0 : size);
	octal(h.mtime, sizeof(h.mtime), mtime);
	octal(h.major, sizeof(h.major), device ? t->major : 0);
	octal(h.minor, sizeof(h.minor), device ? t->minor : 0);
	if (t->link)
		memcpy(h.link, t->link, strlen(t->link) < 100 ? strlen(t->link) : 100);
	put(&h, out);
	return buf_fail(out, "archive", e);
}

static void zeros(size_t n, struct buf *out)
{
	static const char none[TARWRITE_BLOCK];

	for (; n > sizeof(none); n -= sizeof(none))
		buf_add(out, none, sizeof(none));
	buf_add(out, none, n);
}

void tarwrite_pad(uint64_t size, struct buf *out)
{
	zeros((size_t)(-size & (TARWRITE_BLOCK - 1)), out);
}

void tarwrite_end(struct buf *out)
{
	zeros(2 * (size_t)TARWRITE_BLOCK, out);
}
