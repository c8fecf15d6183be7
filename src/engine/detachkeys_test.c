/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "engine/detachkeys.h"

#include <string.h>

static bool typed(struct detachkeys *k, const char *in, const char *passed, bool whole)
{
	char out[64 + DETACHKEYS_MAX];
	size_t len;

	return detachkeys_scan(k, in, strlen(in), out, &len) == whole && len == strlen(passed) &&
	       memcmp(out, passed, len) == 0;
}

TEST(keys_in_dockers_words)
{
	static const char *const wrong[] = {",",      "a,",	 "ab",	     "ctrl-",	"ctrl-P",
					    "ctrl-1", "ctrl-pq", "del",	     ",a",	"a,,b",
					    "ctrl-,", "Ctrl-p",	 "ctrl-p q", "\x01\x02"};
	struct detachkeys k;

	CHECK(detachkeys_parse("", &k, NULL) == 0 && k.n == 0);
	CHECK(detachkeys_parse("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,x,DEL", &k, NULL) == 0);
	CHECK(k.n == 8 && memcmp(k.keys, "\x00\x1b\x1c\x1d\x1e\x1fx\x7f", 8) == 0);
	CHECK(detachkeys_parse("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p", &k, NULL) == 0);
	CHECK(detachkeys_parse("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q", &k, NULL) < 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = ERR_INIT;

		CHECK(detachkeys_parse(wrong[i], &k, &e) < 0 && e.kind == ERR_USAGE);
	}
}

TEST(keys_in_what_is_typed)
{
	struct detachkeys k;

	CHECK(detachkeys_parse(DETACHKEYS_DEFAULT, &k, NULL) == 0);
	CHECK(typed(&k, "a\x10", "a", false));
	CHECK(typed(&k, "b",
		    "\x10"
		    "b",
		    false));
	CHECK(typed(&k, "\x10", "", false));
	CHECK(typed(&k, "\x10", "\x10", false));
	CHECK(typed(&k, "\x11rest", "", true));
	CHECK(detachkeys_parse("", &k, NULL) == 0 && typed(&k, "\x10\x11", "\x10\x11", false));
}

TEST_MAIN(T(keys_in_dockers_words), T(keys_in_what_is_typed))
