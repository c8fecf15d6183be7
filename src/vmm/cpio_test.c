/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/test.h"
#include "vmm/cpio.h"

#include <strings.h>

/* The header is 110 bytes of text; 110 + 5 ("init" and its zero) is padded to 116. */
TEST(a_file_is_where_the_format_says)
{
	auto_buf struct buf b = BUF_INIT(4096);

	cpio_file(&b, "init", 0755, "hello", 5);
	CHECK_INT(b.len, 124);
	CHECK(!memcmp(b.p, "07070100000000000081ED", 14));
	CHECK(!strncasecmp(b.p + 14, "000081ed", 8));
	CHECK(!memcmp(b.p + 54, "00000005", 8)); /* size */
	CHECK(!memcmp(b.p + 94, "00000005", 8)); /* length of the name */
	CHECK(!memcmp(b.p + 110, "init\0\0hello\0\0\0", 14));
}

TEST(the_same_input_gives_the_same_bytes)
{
	auto_buf struct buf a = BUF_INIT(4096);
	auto_buf struct buf b = BUF_INIT(4096);

	for (int i = 0; i < 2; i++) {
		struct buf *out = i ? &a : &b;

		cpio_dir(out, "dev", 0755);
		cpio_device(out, "dev/console", 0600, 5, 1);
		cpio_file(out, "x", 0644, "", 0);
		cpio_end(out);
	}
	CHECK_INT(a.len, b.len);
	CHECK(!memcmp(a.p, b.p, a.len));
	CHECK_INT(a.len % 4, 0);
	CHECK(!memcmp(a.p + a.len - 14, "TRAILER!!!", 10));
}

TEST_MAIN(T(a_file_is_where_the_format_says), T(the_same_input_gives_the_same_bytes))
