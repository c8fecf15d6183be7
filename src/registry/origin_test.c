/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "registry/origin.h"

static bool trusts(const char *registry, const char *to)
{
	auto_arena struct arena a = ARENA_INIT;
	struct origin r, t;

	return origin_parse(registry, &a, &r, NULL) == 0 && origin_parse(to, &a, &t, NULL) == 0 &&
	       origin_trusts(&r, &t);
}

static bool may(const char *registry, const char *to)
{
	auto_arena struct arena a = ARENA_INIT;
	struct origin r, t;

	return origin_parse(registry, &a, &r, NULL) == 0 && origin_parse(to, &a, &t, NULL) == 0 &&
	       origin_check(&r, &t, NULL) == 0;
}

TEST(passwords_stay_with_their_host)
{
	CHECK(trusts("https://r.example/", "https://r.example:8443/token"));
	CHECK(trusts("https://registry.example.com/", "https://example.com/jwt"));
	CHECK(trusts("https://registry-1.docker.io/", "https://auth.docker.io/token"));
	CHECK(trusts("http://127.0.0.1:5000/", "http://127.0.0.1:5001/token"));
	CHECK(!trusts("https://r.example/", "http://r.example/token"));
	CHECK(!trusts("https://r.example/", "https://evil.example/token"));
	CHECK(!trusts("https://r.example/", "https://example/token"));
	CHECK(!trusts("https://r.example/", "https://r.example.evil.org/token"));
	CHECK(!trusts("http://localhost:5000/", "https://evil.example/token"));
}

TEST(plain_http_is_for_loopback)
{
	CHECK(may("http://localhost:5000/", "http://127.0.0.1:6000/x"));
	CHECK(may("http://[::1]:5000/", "https://cdn.example/x"));
	CHECK(may("https://r.example/", "https://cdn.example/x"));
	CHECK(!may("https://r.example/", "http://cdn.example/x"));
	CHECK(!may("https://r.example/", "http://127.0.0.1/x"));
	CHECK(!may("https://r.example/", "https://localhost/x"));
	CHECK(!may("https://r.example/", "file:///etc/passwd"));
	CHECK(!may("https://r.example/", "https://u:p@cdn.example/"));
}

TEST_MAIN(T(passwords_stay_with_their_host), T(plain_http_is_for_loopback))
