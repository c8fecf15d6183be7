/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/registries_conf.h"

static const char MIRRORS[] = "unqualified-search-registries = ['x.example']\n"
			      "[[registry]]\n"
			      "location = \"docker.io\"\n"
			      "mirror-by-digest-only = true\n"
			      "[[registry.mirror]]\n"
			      "location = \"near.example:5000/hub\"\n"
			      "insecure = true\n"
			      "[[registry]]\n"
			      "prefix = \"docker.io/team\"\n"
			      "location = \"team.example/images\"\n"
			      "mirror = [{location = 'a.example'}, {location = 'b.example', "
			      "pull-from-mirror = 'tag-only'}]\n"
			      "[[registry]]\n"
			      "prefix = \"*.bad.example\"\n"
			      "blocked = true\n"
			      "[aliases]\n"
			      "\"x\" = \"quay.io/x\"\n";

static int find(const char *conf, const char *more, const char *host, const char *path,
		struct buf *out, struct err *e)
{
	static struct registries_conf c;
	auto_arena struct arena a = ARENA_INIT;
	struct registries_targets t;
	int r;

	c = (struct registries_conf){0};
	r = registries_conf_add(&c, conf, strlen(conf), "one", &a, e);
	if (r >= 0 && more)
		r = registries_conf_add(&c, more, strlen(more), "two", &a, e);
	if (r >= 0)
		r = registries_conf_find(&c, host, path, &a, &t, e);
	for (size_t i = 0; r >= 0 && i < t.n; i++)
		buf_printf(out, "%s/%s%s%s ", t.v[i].host, t.v[i].repository,
			   t.v[i].insecure ? "!" : "",
			   t.v[i].only == REGISTRIES_TAG      ? "(tag)"
			   : t.v[i].only == REGISTRIES_DIGEST ? "(digest)"
							      : "");
	return r;
}

TEST(where_to_ask)
{
	static const struct {
		const char *host, *path, *want;
	} cases[] = {
	    {"docker.io", "library/debian",
	     "near.example:5000/hub/library/debian!(digest) docker.io/library/debian "},
	    {"docker.io", "team/x", "a.example/x b.example/x(tag) team.example/images/x "},
	    {"docker.io", "teams/x", "near.example:5000/hub/teams/x!(digest) docker.io/teams/x "},
	    {"other.example", "x", "other.example/x "},
	    {"bad.example", "x", "bad.example/x "},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_buf struct buf b = BUF_INIT(4096);

		CHECK_INT(find(MIRRORS, NULL, cases[i].host, cases[i].path, &b, NULL), 0);
		CHECK_STR(b.p, cases[i].want);
	}
}

TEST(blocked)
{
	auto_buf struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	CHECK(find(MIRRORS, NULL, "very.bad.example", "x", &b, &e) < 0);
	CHECK_INT(e.kind, ERR_DENIED);
}

TEST(a_later_file_replaces)
{
	auto_buf struct buf b = BUF_INIT(4096);

	CHECK_INT(find(MIRRORS, "[[registry]]\nlocation='docker.io'\ninsecure=true\n", "docker.io",
		       "library/x", &b, NULL),
		  0);
	CHECK_STR(b.p, "docker.io/library/x! ");
}

TEST(what_is_wrong)
{
	static const char *const wrong[] = {
	    "[[registry]]\n",
	    "[[registry.mirror]]\nlocation='x.y'",
	    "[[registry]]\nlocation=1",
	    "[[registry]]\nlocation='x.y'\nblocked='yes'",
	    "[[registry]]\nlocation='x.y'\n[[registry.mirror]]\n",
	    "[[registry]]\nprefix='*.x.y/z'\n",
	    "[[registry]]\nlocation='x.y'\n[[registry.mirror]]\nlocation='a.b'\n"
	    "pull-from-mirror='never'",
	    "[registries.search]\nregistries = ['docker.io']\n",
	    "[[registry]]\nlocation='x.y'\n[[registry.mirror]]\nlocation='nodot'\n"};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		auto_buf struct buf b = BUF_INIT(4096);
		struct err e = ERR_INIT;

		CHECK_INT(
		    find(wrong[i], NULL, "x.y", "z", &b, &e) < 0 && e.kind ? (long long)i : -1, i);
	}
}

TEST_MAIN(T(where_to_ask), T(blocked), T(a_later_file_replaces), T(what_is_wrong))
