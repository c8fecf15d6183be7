/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/acl_text.h"

#include <errno.h>
#include <string.h>

static int parse(const char *s, uint8_t *out)
{
	return acl_text_parse(s, strlen(s), out);
}

TEST(what_getfacl_and_star_write)
{
	static const uint8_t want[] = {
	    2,	0, 0, 0,			 /* version */
	    1,	0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* user::rwx */
	    2,	0, 4, 0, 0xe9, 3,    0,	   0,	 /* user 1001: r */
	    4,	0, 5, 0, 0xff, 0xff, 0xff, 0xff, /* group::r-x */
	    8,	0, 2, 0, 5,    0,    0,	   0,	 /* group 5: w */
	    16, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
	};
	uint8_t out[ACL_TEXT_MAX];

	CHECK_INT(
	    parse("user::rwx,user:joe:r--:1001,group::r-x,group:5:-w-,mask::rwx,other::---", out),
	    sizeof(want));
	CHECK(!memcmp(out, want, sizeof(want)));
	CHECK_INT(
	    parse(
		"# file: x, y\no:-\nm:rwx\ng:tty:-w-:5\ngroup::xr\nu:1001:r # eff, rw\nuser::rwx\n",
		out),
	    sizeof(want));
	CHECK(!memcmp(out, want, sizeof(want)));
	CHECK_INT(parse("default:user::rwx,d:g::r,default:other:-", out), 4 + 3 * 8);
}

TEST(what_is_refused)
{
	uint8_t out[ACL_TEXT_MAX];

	CHECK_INT(parse("", out), 0);
	CHECK_INT(parse("user:joe:rwx", out), -ENOENT);
	CHECK_INT(parse("user:joe:rwx:", out), -ENOENT);
	CHECK_INT(parse("user:4294967295:r", out), -EBADMSG);
	CHECK_INT(parse("other:1:r", out), -EBADMSG);
	CHECK_INT(parse("user::rwz", out), -EBADMSG);
	CHECK_INT(parse("user:", out), -EBADMSG);
	CHECK_INT(parse("user:1:r:1:1:1:1:1", out), -EBADMSG);
	CHECK_INT(parse("nobody::r", out), -EBADMSG);
}

TEST(more_entries_than_a_file_may_have)
{
	static char text[(ACL_TEXT_ENTRIES + 1) * 8];
	uint8_t out[ACL_TEXT_MAX];

	for (size_t i = 0; i <= ACL_TEXT_ENTRIES; i++)
		memcpy(text + i * 8, "u:1:rwx,", 8);
	CHECK_INT(acl_text_parse(text, sizeof(text), out), -E2BIG);
	CHECK_INT(acl_text_parse(text, sizeof(text) - 8, out), ACL_TEXT_MAX);
}

TEST_MAIN(T(what_getfacl_and_star_write), T(what_is_refused), T(more_entries_than_a_file_may_have))
