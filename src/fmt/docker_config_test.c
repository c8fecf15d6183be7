/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/docker_config.h"

TEST(base64_is_decoded)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(docker_config_base64("", &a), "");
	CHECK_STR(docker_config_base64("dTpw", &a), "u:p");
	CHECK_STR(docker_config_base64("dXNlcjpwYXNz", &a), "user:pass");
	CHECK_STR(docker_config_base64("dXNlcjpwYXM=", &a), "user:pas");
	CHECK(!docker_config_base64("dXNlcjpwYX", &a));
	CHECK(!docker_config_base64("d*==", &a));
	CHECK(!docker_config_base64("AAAA", &a));
}

static const char *user(struct arena *a, const char *host)
{
	static const char text[] =
	    "{\"auths\":{\"localhost:5000\":{\"auth\":\"dTpw\"},"
	    "\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpwYXNz\"},"
	    "\"https://r.example/v2/\":{\"auth\":\"eDp5Onox\"},\"h.example\":{}},"
	    "\"credHelpers\":{\"g.example\":\"g\"}}";
	struct docker_config c = {0};

	if (docker_config_lookup(text, strlen(text), host, a, &c, NULL) < 0)
		return "error";
	if (c.helper)
		return "helper";
	return c.user ? arena_printf(a, "%s/%s", c.user, c.password) : "none";
}

TEST(hosts_are_matched_exactly)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(user(&a, "localhost:5000"), "u/p");
	CHECK_STR(user(&a, "localhost:500"), "none");
	CHECK_STR(user(&a, "localhost"), "none");
	CHECK_STR(user(&a, "docker.io"), "user/pass");
	CHECK_STR(user(&a, "r.example"), "x/y:z1");
	CHECK_STR(user(&a, "r.example.evil"), "none");
	CHECK_STR(user(&a, "h.example"), "none");
	CHECK_STR(user(&a, "g.example"), "helper");
}

TEST_MAIN(T(base64_is_decoded), T(hosts_are_matched_exactly))
