/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/docker_config.h"

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
		return arena_printf(a, "helper %s", c.helper);
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
	CHECK_STR(user(&a, "g.example"), "helper g");
}

static const char *edit(struct arena *a, const char *text, const char *host,
			struct docker_config entry, int *found)
{
	auto_buf struct buf out = BUF_INIT(DOCKER_CONFIG_MAX);

	*found = docker_config_edit(text, text ? strlen(text) : 0, host, &entry, &out, NULL);
	return *found < 0 ? "error" : arena_dupn(a, out.p, out.len);
}

TEST(an_entry_is_added_replaced_and_removed)
{
	static const char old[] = "{\"auths\":{\"https://r.example/v2/\":{\"auth\":\"eDp5\"},"
				  "\"o.example\":{\"auth\":\"dTpw\",\"x\":[1]}},"
				  "\"detachKeys\":\"ctrl-e\",\"n\":{\"deep\":[null,1.5]}}";
	auto_arena struct arena a = ARENA_INIT;
	struct docker_config c = {0};
	const char *s;
	int found;

	s = edit(&a, NULL, "r.example", (struct docker_config){.user = "u", .password = "p"},
		 &found);
	CHECK_INT(found, 0);
	CHECK_STR(s, "{\n\t\"auths\": {\n\t\t\"r.example\": {\"auth\": \"dTpw\"}\n\t}\n}\n");
	s = edit(&a, old, "r.example", (struct docker_config){.user = "user", .password = "pa:s"},
		 &found);
	CHECK_INT(found, 1);
	CHECK_INT(docker_config_lookup(s, strlen(s), "r.example", &a, &c, NULL), 0);
	CHECK_STR(c.user, "user");
	CHECK_STR(c.password, "pa:s");
	CHECK(!strstr(s, "https://r.example"));
	CHECK(strstr(s, "\"detachKeys\": \"ctrl-e\"") && strstr(s, "\"deep\":[null,1.5]"));
	CHECK(strstr(s, "\"x\":[1]"));
	s = edit(&a, s, "r.example", (struct docker_config){0}, &found);
	CHECK_INT(found, 1);
	CHECK(!strstr(s, "r.example") && strstr(s, "o.example"));
	edit(&a, s, "r.example", (struct docker_config){0}, &found);
	CHECK_INT(found, 0);
	s = edit(&a, NULL, "docker.io", (struct docker_config){.user = "u"}, &found);
	CHECK(strstr(s, "\"https://index.docker.io/v1/\": {}"));
	edit(&a, "[]", "r.example", (struct docker_config){0}, &found);
	CHECK(found < 0);
	edit(&a, "{\"auths\":7}", "r.example", (struct docker_config){0}, &found);
	CHECK(found < 0);
}

TEST_MAIN(T(an_entry_is_added_replaced_and_removed), 
	  T(hosts_are_matched_exactly))
