/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "engine/cgparent.h"

#include <string.h>

TEST(finds_the_place)
{
	static const char *const good[][2] = {
	    {"/a/b.c", "/a/b.c"},
	    {"machines", "/machines"},
	    {"/", ""},
	    {"a-b-c.slice", "/a.slice/a-b.slice/a-b-c.slice"},
	    {"user.slice", "/user.slice"},
	    {"/user.slice/x", "/user.slice/x"},
	};
	auto_arena struct arena a = ARENA_INIT;
	const char *out = NULL;

	CHECK_INT(cgparent_path(NULL, &a, &out, NULL), 0);
	CHECK_STR(out, "/caisson");
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK_INT(cgparent_path(good[i][0], &a, &out, NULL), 0);
		CHECK_STR(out, good[i][1]);
	}
}

TEST(refuses_what_leads_elsewhere)
{
	static const char *const bad[] = {"..",	  "/a/../b",	"a//b",	    "/a/",
					  "a\nb", "../x",	".x",	    "/a/.",
					  "a b",  "a--b.slice", "-a.slice", "\x1b[1m"};
	auto_arena struct arena a = ARENA_INIT;
	const char *out = "untouched";
	char *longer = arena_alloc(&a, 5001);

	memset(longer, 'x', 5000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = ERR_INIT;

		if (cgparent_path(bad[i], &a, &out, &e) == 0)
			CHECK_STR(bad[i], "refused");
		CHECK_INT(e.kind, ERR_USAGE);
	}
	CHECK(cgparent_path(longer, &a, &out, NULL) < 0);
	CHECK_STR(out, "untouched");
}

TEST_MAIN(T(finds_the_place), T(refuses_what_leads_elsewhere))
