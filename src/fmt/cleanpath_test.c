/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "fmt/cleanpath.h"

TEST(forms)
{
	static const struct {
		const char *path, *want;
		int inside;
	} cases[] = {
	    {"", "", 1},	  {"/", "", 1},
	    {".", "", 1},	  {"a", "a", 1},
	    {"/a//b/", "a/b", 1}, {"./a/./b/.", "a/b", 1},
	    {"a/../b", "b", 1},	  {"..", "", 0},
	    {"/../a", "a", 0},	  {"a/../../b/c/..", "b", 0},
	    {"...", "...", 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char out[64];

		CHECK_INT(cleanpath(cases[i].path, out), cases[i].inside);
		CHECK_STR(out, cases[i].want);
	}
}

TEST_MAIN(T(forms))
