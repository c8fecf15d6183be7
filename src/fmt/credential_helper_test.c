/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/credential_helper.h"

TEST(a_name_is_not_a_path)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(credential_helper_program("pass", &a), "docker-credential-pass");
	CHECK_STR(credential_helper_program("ecr-login", &a), "docker-credential-ecr-login");
	CHECK(!credential_helper_program("", &a));
	CHECK(!credential_helper_program("../x", &a));
	CHECK(!credential_helper_program("a/b", &a));
	CHECK(!credential_helper_program("a b", &a));
}

TEST(the_environment_is_chosen)
{
	static const char *const in[] = {"LD_PRELOAD=x", "HOME=/h", "AWS_PROFILE=p",
					 "PATHX=1",	 "PATH=/b", NULL};
	static const char *const none[] = {"BASH_ENV=x", NULL};
	auto_arena struct arena a = ARENA_INIT;
	const char *const *out = credential_helper_env(in, &a);

	CHECK_STR(out[0], "HOME=/h");
	CHECK_STR(out[1], "AWS_PROFILE=p");
	CHECK_STR(out[2], "PATH=/b");
	CHECK(!out[3]);
	CHECK(!credential_helper_env(none, &a)[0]);
}

static int parse(struct arena *a, const char *text, bool ok, struct credential *c, struct err *e)
{
	*c = (struct credential){"?", "?"};
	return credential_helper_parse(text, strlen(text), ok, a, c, e);
}

TEST(answers_are_read)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(CREDENTIAL_HELPER_MAX);
	struct credential c = {"u\"", "p\n"};
	struct err e = ERR_INIT;

	credential_helper_print("r.example", &c, &b);
	CHECK_STR(b.p, "{\"ServerURL\":\"r.example\",\"Username\":\"u\\\"\",\"Secret\":\"p\\n\"}");
	CHECK_INT(parse(&a, b.p, true, &c, NULL), 0);
	CHECK_STR(c.user, "u\"");
	CHECK_STR(c.secret, "p\n");
	CHECK_INT(parse(&a, "{\"Username\":\"\",\"Secret\":\"\"}", true, &c, NULL), 0);
	CHECK(!c.user);
	CHECK_INT(parse(&a, "credentials not found in native keychain\n", false, &c, NULL), 0);
	CHECK(!c.user);
	CHECK(parse(&a, "gpg: \033[1mno key\n", false, &c, &e) < 0);
	CHECK_STR(e.msg, "gpg:  [1mno key");
	CHECK(parse(&a, "{\"Username\":\"u\"}", true, &c, NULL) < 0);
	CHECK(parse(&a, "[]", true, &c, NULL) < 0);
	CHECK(parse(&a, "", true, &c, NULL) < 0);
	CHECK_INT(parse(&a, "{\"Username\":\"<token>\",\"Secret\":\"t\"}", true, &c, NULL), 0);
	CHECK_STR(c.user, CREDENTIAL_IDENTITY);
}

TEST_MAIN(T(a_name_is_not_a_path), T(the_environment_is_chosen), T(answers_are_read))
