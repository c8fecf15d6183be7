/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/test.h"
#include "fmt/base64.h"

TEST(base64_is_decoded)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(base64_decode("", &a), "");
	CHECK_STR(base64_decode("dTpw", &a), "u:p");
	CHECK_STR(base64_decode("dXNlcjpwYXNz", &a), "user:pass");
	CHECK_STR(base64_decode("dXNlcjpwYXM=", &a), "user:pas");
	CHECK(!base64_decode("dXNlcjpwYX", &a));
	CHECK(!base64_decode("d*==", &a));
	CHECK(!base64_decode("AAAA", &a));
}

TEST(base64_is_printed)
{
	static const char *const pairs[][2] = {{"", ""},
					       {"u", "dQ=="},
					       {"u:", "dTo="},
					       {"u:p", "dTpw"},
					       {"user:pass", "dXNlcjpwYXNz"}};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		auto_buf struct buf b = BUF_INIT(64);

		base64_print(&b, pairs[i][0], strlen(pairs[i][0]));
		CHECK_STR(b.p, pairs[i][1]);
	}
}

TEST_MAIN(T(base64_is_decoded), T(base64_is_printed))
