/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/limits.h"
#include "fmt/tarread.h"
#include "fmt/tarwrite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct input {
	const char *p;
	size_t left, step;
};

static ssize_t next(void *arg, const void **data, struct err *e)
{
	struct input *in = arg;
	size_t n = in->left < in->step ? in->left : in->step;

	*data = in->p;
	in->p += n;
	in->left -= n;
	return (ssize_t)n;
}

static void pad(struct buf *b)
{
	tarwrite_pad(b->len, b);
}

/* A raw header: type, size, and what stands behind it. */
static void raw(struct buf *b, char type, const char *name, uint64_t size, const char *body,
		size_t len)
{
	uint8_t h[512] = {0};
	char number[24];
	unsigned int sum = 0;

	memcpy(h, name, strlen(name));
	memcpy(h + 100,
	       "0000644\0"
	       "0000001\0"
	       "0000002\0",
	       24);
	snprintf(number, sizeof(number), "%011llo", (unsigned long long)size);
	memcpy(h + 124, number, 12);
	memcpy(h + 136, "00000000007\0        ", 20);
	h[156] = (uint8_t)type;
	memcpy(h + 157, "target", 6);
	memcpy(h + 257,
	       "ustar\0"
	       "00",
	       8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	snprintf((char *)h + 148, 8, "%06o", sum);
	buf_add(b, h, 512);
	buf_add(b, body, len);
	pad(b);
}

/* All of it in pieces of every size that matters; returns the number of entries or an error, the
 * first entry's data in text. */
static int read_all(const struct buf *b, struct tarread_entry *first, char *text, struct err *e)
{
	static const size_t steps[] = {1 << 20, 512, 513, 100, 1};
	int count = -1;

	for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		struct input in = {b->p, b->len, steps[i]};
		struct tarread_source src = {next, &in};
		struct tarread *t = tarread_new(&src);
		struct tarread_entry te;
		struct err why = ERR_INIT;
		int n = 0, r;

		while ((r = tarread_next(t, &te, &why)) > 0) {
			const void *p;
			uint64_t off;
			size_t len;

			if (n++ == 0 && first)
				*first = te;
			while ((r = tarread_data(t, &p, &len, &off, &why)) > 0)
				if (n == 1 && text && off + len < 4096)
					memcpy(text + off, p, len);
			if (r < 0)
				break;
		}
		tarread_free(t);
		n = r < 0 ? r : n;
		if (i && n != count)
			return -1000; /* must not depend on the pieces */
		count = n;
		*e = why;
	}
	return count;
}

static int count(const struct buf *b)
{
	struct err e = ERR_INIT;

	return read_all(b, NULL, NULL, &e);
}

TEST(plain_entries)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct tarread_entry te = {0};
	char text[4096] = "";
	struct err e = ERR_INIT;

	raw(&b, '0', "file", 5, "hello", 5);
	raw(&b, '5', "dir/", 0, "", 0);
	raw(&b, '2', "sym", 0, "", 0);
	tarwrite_end(&b);
	CHECK_INT(read_all(&b, &te, text, &e), 3);
	CHECK_STR(text, "hello");
	CHECK_INT(te.type, TARREAD_FILE);
	CHECK_INT(te.size, 5);
	CHECK_INT(te.mode, 0644);
	CHECK_INT(te.uid, 1);
	CHECK_INT(te.gid, 2);
	CHECK_INT(te.mtime, 7);
}

TEST(links_and_directories_have_no_content)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	raw(&b, '1', "hard", 1000000, "", 0);
	raw(&b, '5', "dir", 5000, "", 0);
	raw(&b, '2', "sym", 99, "", 0);
	raw(&b, '0', "file", 3, "abc", 3);
	tarwrite_end(&b);
	CHECK_INT(count(&b), 4);
}

TEST(ends)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);

	CHECK_INT(count(&b), 0); /* nothing at all */
	raw(&b, '0', "file", 3, "abc", 3);
	CHECK_INT(count(&b), 1); /* no zero blocks */
	buf_add(&b, (char[512]){0}, 512);
	CHECK_INT(count(&b), 1); /* one */
	buf_add(&b, (char[512]){0}, 512);
	CHECK_INT(count(&b), 1);
	buf_add(&b, (char[512]){0}, 100);
	CHECK_INT(count(&b), 1); /* padding of any length */
}

TEST(damage_is_named)
{
	auto_buf struct buf b = BUF_INIT(1 << 16), zero = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	raw(&b, '0', "file", 3, "abc", 3);
	raw(&b, '0', "file2", 3, "abc", 3);
	b.p[1024 + 5] ^= 1;
	CHECK(read_all(&b, NULL, NULL, &e) < 0);
	CHECK(strstr(e.msg, "at byte 1024"));
	b.p[5] ^= 1;
	CHECK(read_all(&b, NULL, NULL, &e) < 0);
	CHECK_STR(e.msg, "not a tar archive");
	b.p[5] ^= 1;
	b.p[1024 + 5] ^= 1;
	CHECK_INT(count(&b), 2);
	for (size_t cut = 1; cut < 1024; cut += 100) {
		struct buf part = {.p = b.p, .len = 1024 + cut};

		CHECK_INT(read_all(&part, NULL, NULL, &e), -EBADMSG);
		CHECK(strstr(e.msg, "truncated"));
	}
	buf_add(&zero, (char[512]){0}, 512);
	buf_add(&zero, b.p, b.len);
	CHECK_INT(read_all(&zero, NULL, NULL, &e), -EBADMSG);
	CHECK_STR(e.msg, "bytes behind the end of the tar");
}

TEST(pax_wins_over_the_header)
{
	static const char pax[] = "15 size=7\n"; /* malformed: the length is wrong */
	static const char good[] =
	    "9 size=7\n11 uid=300\n15 path=longer\n15 mtime=-1.25\n12 comment=\n";
	auto_buf struct buf b = BUF_INIT(1 << 16), bad = BUF_INIT(1 << 16);
	struct tarread_entry te = {0};
	char text[4096] = "";
	struct err e = ERR_INIT;

	raw(&bad, 'x', "pax", sizeof(pax) - 1, pax, sizeof(pax) - 1);
	raw(&bad, '0', "file", 0, "", 0);
	CHECK_INT(read_all(&bad, NULL, NULL, &e), -EBADMSG);
	raw(&b, 'x', "pax", sizeof(good) - 1, good, sizeof(good) - 1);
	raw(&b, '0', "file", 0, "seven..", 7);
	raw(&b, '0', "next", 1, "n", 1);
	tarwrite_end(&b);
	CHECK_INT(read_all(&b, &te, text, &e), 2);
	CHECK_STR(text, "seven..");
	CHECK_INT(te.uid, 300);
	CHECK_INT(te.mtime, -2);
	CHECK_INT(te.mtime_nsec, 750000000);
}

TEST(sparse_maps_are_checked)
{
	static const struct {
		const char *pax;
		int want;
		const char *text;
	} t[] = {
	    {"22 GNU.sparse.major=0\n22 GNU.sparse.minor=1\n22 GNU.sparse.size=10\n31 "
	     "GNU.sparse.map=0,1,3,2,10,0\n",
	     1, "a\0\0bc"},
	    {"22 GNU.sparse.size=10\n26 GNU.sparse.map=0,1,3,1\n", -EBADMSG,
	     NULL}, /* less than stored */
	    {"22 GNU.sparse.size=10\n26 GNU.sparse.map=3,1,0,2\n", -EBADMSG,
	     NULL}, /* not ascending */
	    {"22 GNU.sparse.size=10\n26 GNU.sparse.map=0,1,9,2\n", -EBADMSG,
	     NULL}, /* beyond the end */
	    {"22 GNU.sparse.size=10\n24 GNU.sparse.map=0,1,3\n", -EBADMSG, NULL}, /* half a piece */
	    {"26 GNU.sparse.map=0,1,3,2\n", -EBADMSG, NULL},			  /* no size */
	    {"22 GNU.sparse.major=2\n22 GNU.sparse.minor=0\n", -EOPNOTSUPP, NULL},
	    {"22 GNU.sparse.size=10\n26 GNU.sparse.numblocks=2\n23 GNU.sparse.offset=0\n25 "
	     "GNU.sparse.numbytes=1\n"
	     "23 GNU.sparse.offset=3\n25 GNU.sparse.numbytes=2\n",
	     1, "a\0\0bc"},
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		auto_buf struct buf b = BUF_INIT(1 << 16);
		struct tarread_entry te = {0};
		char text[4096] = "";
		struct err e = ERR_INIT;

		raw(&b, 'x', "pax", strlen(t[i].pax), t[i].pax, strlen(t[i].pax));
		raw(&b, '0', "file", 3, "abc", 3);
		CHECK_INT(read_all(&b, &te, text, &e), t[i].want);
		if (t[i].text) {
			CHECK(!memcmp(text, t[i].text, 5));
			CHECK_INT(te.size, 10);
		}
	}
}

TEST(headers_have_limits)
{
	auto_buf struct buf b = BUF_INIT(1 << 16);
	struct err e = ERR_INIT;

	raw(&b, 'x', "pax", LIMIT_PAX + 1, "", 0);
	CHECK_INT(read_all(&b, NULL, NULL, &e), -EOVERFLOW);
	b.len = 0;
	raw(&b, 'L', "long", UINT64_C(1) << 32, "", 0);
	CHECK_INT(read_all(&b, NULL, NULL, &e), -EOVERFLOW);
	b.len = 0;
	raw(&b, 'M', "volume", 0, "", 0);
	CHECK_INT(read_all(&b, NULL, NULL, &e), -EOPNOTSUPP);
}

TEST_MAIN(T(plain_entries), T(links_and_directories_have_no_content), T(ends), T(damage_is_named),
	  T(pax_wins_over_the_header), T(sparse_maps_are_checked), T(headers_have_limits))
