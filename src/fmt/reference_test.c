/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *canon(struct arena *a, const char *s)
{
	struct reference r;

	return reference_parse(s, a, &r, NULL) < 0 ? "error" : reference_canonical(a, &r);
}

TEST(short_names_are_completed)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(canon(&a, "debian"), "docker.io/library/debian:latest");
	CHECK_STR(canon(&a, "debian:12"), "docker.io/library/debian:12");
	CHECK_STR(canon(&a, "caisson/tiny"), "docker.io/caisson/tiny:latest");
	CHECK_STR(canon(&a, "index.docker.io/x"), "docker.io/library/x:latest");
	CHECK_STR(canon(&a, "localhost/x"), "localhost/x:latest");
	CHECK_STR(canon(&a, "localhost:5000/a/b__c:T_1"), "localhost:5000/a/b__c:T_1");
	CHECK_STR(canon(&a, "[::1]:5000/x"), "[::1]:5000/x:latest");
	CHECK_STR(canon(&a, "x:1@sha256:" HEX), "docker.io/library/x@sha256:" HEX);
}

TEST(malformed_ones_are_refused)
{
	static const char *const wrong[] = {"",	     "A",    "a:",	     ":a",     "a/",
					    "/a",    "a//b", "a..b",	     "a___b",  "-a",
					    "a-",    "a b",  "../a",	     "a:.x",   "a@sha256",
					    "a@",    HEX,    "a@md5:0",	     "x.y:/a", "h:1:2/a",
					    "[::/a", "a\nb", "x.y:999999/a", "-h.x/a", "a:b:c"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		auto_arena struct arena a = ARENA_INIT;
		struct reference r;
		struct err e = ERR_INIT;

		CHECK_INT(reference_parse(wrong[i], &a, &r, &e) < 0 ? (long long)i : -1, i);
		CHECK_INT(e.kind, ERR_USAGE);
	}
}

TEST(familiar_is_what_users_write)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(reference_familiar(&a, "docker.io/library/debian:12"), "debian:12");
	CHECK_STR(reference_familiar(&a, "docker.io/caisson/tiny:latest"), "caisson/tiny:latest");
	CHECK_STR(reference_familiar(&a, "localhost:5000/x:1"), "localhost:5000/x:1");
	CHECK_STR(reference_familiar(&a, "docker.io/x.y/z:1"), "docker.io/x.y/z:1");
	CHECK_INT(reference_repository("localhost:5000/x:1"), 16);
	CHECK_INT(reference_repository("localhost:5000/x"), 16);
}

TEST_MAIN(T(short_names_are_completed), T(malformed_ones_are_refused),
	  T(familiar_is_what_users_write))
