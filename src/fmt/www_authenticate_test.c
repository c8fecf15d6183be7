/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/www_authenticate.h"

TEST(bearer_with_its_parameters)
{
	auto_arena struct arena a = ARENA_INIT;
	struct www_authenticate c;

	CHECK_INT(
	    www_authenticate_parse("Bearer realm=\"https://a.example/token\",service=\"a\\\"b\", "
				   "scope=\"repository:x/y:pull,push\"",
				   &a, &c, NULL),
	    0);
	CHECK_INT(c.scheme, WWW_BEARER);
	CHECK_STR(c.realm, "https://a.example/token");
	CHECK_STR(c.service, "a\"b");
	CHECK_STR(c.scope, "repository:x/y:pull,push");
}

TEST(bearer_wins_over_basic)
{
	auto_arena struct arena a = ARENA_INIT;
	struct www_authenticate c;

	CHECK_INT(
	    www_authenticate_parse("basic realm=\"x\", BEARER realm=y , Negotiate", &a, &c, NULL),
	    0);
	CHECK_INT(c.scheme, WWW_BEARER);
	CHECK_STR(c.realm, "y");
	CHECK_INT(www_authenticate_parse("Negotiate abc==, Basic realm=\"x\"", &a, &c, NULL), 0);
	CHECK_INT(c.scheme, WWW_BASIC);
}

TEST(first_of_equal_parameters_counts)
{
	auto_arena struct arena a = ARENA_INIT;
	struct www_authenticate c;

	CHECK_INT(www_authenticate_parse("Bearer realm=\"a\",realm=\"b\"", &a, &c, NULL), 0);
	CHECK_STR(c.realm, "a");
}

TEST(malformed_is_an_error)
{
	static const char *const wrong[] = {
	    "Bearer realm=\"x",	     "Bearer realm=",	    "=",
	    "Bearer realm=\"a\nb\"", "Bearer realm=\"a\"b", "\"x\""};
	auto_arena struct arena a = ARENA_INIT;
	struct www_authenticate c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		CHECK_INT(www_authenticate_parse(wrong[i], &a, &c, NULL) < 0 ? (long long)i : -1,
			  i);
}

TEST_MAIN(T(bearer_with_its_parameters), T(bearer_wins_over_basic),
	  T(first_of_equal_parameters_counts), T(malformed_is_an_error))
