/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "engine/request.h"
#include "engine/runwords.h"

#include <string.h>

static const char *sample(const struct jbind_field *f)
{
	switch (f->type) {
	case JBIND_STR:
		return "\"x\"";
	case JBIND_STRS:
		return "[\"x\"]";
	case JBIND_BOOL:
		return "true";
	case JBIND_ENUM:
		return "\"vm\"";
	default:
		return "5";
	}
}

/* How many words are made of it; -1: it is refused. */
static int words_of(const char *json)
{
	auto_arena struct arena a = ARENA_INIT;
	struct request q = {0};
	struct strs v = {0};
	struct err e = ERR_INIT;

	if (jbind_parse(&request_table, json, strlen(json), &q, &a, "request", &e) < 0 ||
	    runwords_make(&q, &a, &v, &e) < 0)
		return -1;
	return (int)v.n;
}

/* Who adds a member to the request and forgets the words for it learns it here. */
TEST(every_member_of_a_request_has_words)
{
	static const char *const without[] = {"name", "auto_remove", "restart", "image", NULL};
	static const char *const refused[] = {
	    "pod",	"pod_share",   "pod_bare",  "pod_own_mounts", "machine", "machine_share",
	    "uts_mode", "health_test", "vm_linger", "clock_offset_s", NULL};

	for (const struct jbind_field *f = request_table.fields; f->key; f++) {
		auto_arena struct arena a = ARENA_INIT;
		const char *set = streq(f->key, "entrypoint") ? ",\"entrypoint_set\":true" : "";
		bool own = false;
		int want = 2;

		for (const char *const *w = refused; *w; w++)
			want = streq(*w, f->key) ? -1 : want;
		for (const char *const *w = without; *w; w++)
			own |= streq(*w, f->key);
		if (!own)
			CHECK(words_of(arena_printf(&a, "{\"image\":\"i\",\"%s\":%s%s}", f->key,
						    sample(f), set)) == want);
	}
	CHECK_INT(words_of("{\"image\":\"i\"}"), 1);
	CHECK_INT(words_of("{\"image\":\"i\",\"health_test\":[\"CMD-SHELL\",\"x\"]}"), 2);
}

TEST(an_entry_point_of_several_words_is_refused)
{
	auto_arena struct arena a = ARENA_INIT;
	const char *two[] = {"a", "b", NULL};
	struct request q = {.image = "i", .entrypoint = {.v = two, .n = 2}, .entrypoint_set = true};
	struct strs v = {0};
	struct err e = ERR_INIT;

	CHECK(runwords_make(&q, &a, &v, &e) < 0 && e.kind == ERR_UNSUPPORTED);
	CHECK(v.n == 0);
}

TEST_MAIN(T(every_member_of_a_request_has_words), T(an_entry_point_of_several_words_is_refused))
