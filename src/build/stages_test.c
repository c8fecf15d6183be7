/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/test.h"
#include "build/stages.h"

static struct arena arena;
static char *no_environment[] = {NULL};

static const char *make(const char *text, const char *target, const char *arg, struct stages *out)
{
	struct scope_args *given = arena_alloc(&arena, sizeof(*given));
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;

	if (arg && scope_args_add(given, arg, no_environment, &arena, &e) < 0)
		return arena_dup(&arena, e.msg);
	if (dockerfile_parse(text, strlen(text), "Dockerfile", &arena, &f, NULL, &e) < 0 ||
	    stages_make(f, "Dockerfile", target, given, &arena, out, &e) < 0)
		return arena_dup(&arena, e.msg);
	return "";
}

TEST(graph)
{
	struct stages s;

	CHECK_STR(
	    make("ARG V=1\nFROM a:$V AS One\nRUN x\nFROM b AS unused\nFROM c AS three\n"
		 "COPY --from=0 x y\nFROM One\nRUN --mount=type=bind,from=three,target=/t z\n",
		 NULL, "V=2", &s),
	    "");
	CHECK_INT(s.n, 4);
	CHECK_STR(s.v[0].base, "a:2");
	CHECK_STR(s.v[0].name, "one");
	CHECK_INT(s.v[3].base_stage, 0);
	CHECK_INT(s.v[3].needs_n, 2);
	CHECK(!s.v[1].needed);
	CHECK_INT(s.order_n, 3);
	CHECK_INT(s.order[0], 0);
	CHECK_INT(s.order[2], 3);
}

TEST(target)
{
	struct stages s;
	const char *text = "FROM a AS x\nFROM b AS y\nCOPY --from=x a b\nFROM y\n";

	CHECK_STR(make(text, "X", NULL, &s), "");
	CHECK_INT(s.order_n, 1);
	CHECK_STR(make(text, "1", NULL, &s), "");
	CHECK_INT(s.order_n, 2);
	CHECK_STR(make(text, "z", NULL, &s), "Dockerfile: --target z: no stage of that name");
}

TEST(refused)
{
	struct stages s;

	CHECK_STR(make("FROM a AS x\nCOPY --from=x a b\n", NULL, NULL, &s),
		  "Dockerfile:2: stage 'x' takes files from itself");
	CHECK(strstr(make("FROM a AS x\nCOPY --from=y a b\nFROM b AS y\nCOPY --from=x a b\n", NULL,
			  NULL, &s),
		     "needs itself"));
	CHECK(strstr(make("FROM $NONE\n", NULL, NULL, &s), "no ARG NONE"));
	CHECK(strstr(make("FROM a\nCOPY --from=$x a b\n", NULL, NULL, &s), "Dockerfile:2: '$x'"));
	CHECK(strstr(make("FROM a AS 1x\n", NULL, NULL, &s), "no name for a stage"));
}

TEST(scopes)
{
	struct stages s;
	struct scope sc;
	struct scope_args given = {0};
	struct err e = ERR_INIT;
	struct strs w = {0};
	const struct dockerfile_instr *v;

	CHECK_STR(make("ARG G=global\nFROM a\nARG G\nARG D=dflt\nENV D=env X=$D\nARG Y=$G-y\n",
		       NULL, NULL, &s),
		  "");
	CHECK_INT(scope_args_add(&given, "D=given", no_environment, &arena, &e), 0);
	scope_init(&sc, &s.global, &given, '\\', &arena);
	v = s.v[0].v;
	CHECK_INT(scope_arg(&sc, &v[0], &e), 0);
	CHECK_STR(scope_get(&sc, "G"), "global");
	CHECK_INT(scope_arg(&sc, &v[1], &e), 0);
	CHECK_STR(scope_get(&sc, "D"), "given");
	CHECK(given.v[0].used);
	CHECK_INT(scope_env(&sc, &v[2], &e), 0);
	CHECK_STR(scope_get(&sc, "D"), "env");
	CHECK_STR(scope_get(&sc, "X"), "given");
	CHECK_INT(scope_arg(&sc, &v[3], &e), 0);
	w = scope_environment(&sc);
	CHECK_INT(w.n, 2);
	CHECK_STR(w.v[0], "D=env");
	w = scope_arguments(&sc);
	CHECK_INT(w.n, 2);
	CHECK_STR(w.v[1], "Y=global-y");
	CHECK_STR(stages_field("type=cache,target=/x,from=y", "from", &arena), "y");
	CHECK(!stages_field("type=cache", "typ", &arena));
}

TEST_MAIN(T(graph), T(target), T(refused), T(scopes))
