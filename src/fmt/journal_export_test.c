/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/journal_export.h"

#include <errno.h>
#include <string.h>

#define S(text) (text), sizeof(text) - 1

static const char two[] = "__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1700000000000001\nPRIORITY=3\n"
			  "CONTAINER_ID=abc\nCONTAINER_TAG=t\n_PID=1\nAPP=w\"eb\n"
			  "SYSLOG_TIMESTAMP=2026-11-21T12:00:00.5Z\n"
			  "MESSAGE\n\4\0\0\0\0\0\0\0a\n\0b\n\n"
			  "__REALTIME_TIMESTAMP=1700000000000002\nCONTAINER_PARTIAL_MESSAGE=true\n"
			  "PRIORITY=6\nMESSAGE=x=y\n\n";

TEST(entries_one_after_the_other)
{
	auto_buf struct buf attrs = BUF_INIT(1000);
	struct journal_entry j = {0};
	struct err e = ERR_INIT;
	size_t used = 0, more = 0;

	CHECK_INT(journal_export_next(S(two), &j, &attrs, &used, &e), 1);
	CHECK_INT(j.message_len, 4);
	CHECK(memcmp(j.message, "a\n\0b", 4) == 0);
	CHECK(j.err && !j.partial);
	CHECK_INT(j.ns % 1000000000, 500000000);
	CHECK_STR(attrs.p, "{\"tag\":\"t\",\"APP\":\"w\\\"eb\"}");
	CHECK_INT(j.cursor_len, 7);
	CHECK_INT(journal_export_next(two + used, sizeof(two) - 1 - used, &j, &attrs, &more, &e),
		  1);
	CHECK_INT(used + more, sizeof(two) - 1);
	CHECK(j.partial && !j.err && !j.cursor);
	CHECK_INT(j.ns, 1700000000000002000);
	CHECK_INT(j.message_len, 3);
	CHECK_INT(attrs.len, 0);
}

TEST(what_is_not_whole_waits)
{
	struct journal_entry j;
	struct err e = ERR_INIT;
	size_t used;

	for (size_t n = 0; n < sizeof(two) - 1; n++) {
		int r = journal_export_next(two, n, &j, NULL, &used, &e);

		CHECK(r == 0 || (r == 1 && used <= n));
	}
}

TEST(what_is_not_the_format_is_refused)
{
	struct journal_entry j;
	struct err e = ERR_INIT;
	size_t used;

	CHECK_INT(journal_export_next(S("=x\n\n"), &j, NULL, &used, &e), -EBADMSG);
	CHECK_INT(journal_export_next(S("A\n\1\0\0\0\0\0\0\0xy\n"), &j, NULL, &used, &e), -EBADMSG);
	CHECK_INT(journal_export_next(S("A\n\1\0\0\0\0\0\0\177x\n"), &j, NULL, &used, &e),
		  -EOVERFLOW);
	CHECK_INT(journal_export_next(S("__REALTIME_TIMESTAMP=999999999999999999999999\n\n"), &j,
				      NULL, &used, &e),
		  1);
}

TEST_MAIN(T(entries_one_after_the_other), T(what_is_not_whole_waits),
	  T(what_is_not_the_format_is_refused))
