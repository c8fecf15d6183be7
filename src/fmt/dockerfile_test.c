/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/dockerfile.h"

static struct arena arena;

static struct dockerfile *parse(const char *text)
{
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, strlen(text), "Dockerfile", &arena, &f, NULL, &e) < 0) {
		printf("# %s\n", e.msg);
		return NULL;
	}
	return f;
}

/* The message of a text that must be refused, "" when it was not. */
static const char *refusal(const char *text)
{
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;

	if (dockerfile_parse(text, strlen(text), "Dockerfile", &arena, &f, NULL, &e) >= 0)
		return "";
	return arena_dup(&arena, e.msg);
}

TEST(lines)
{
	struct dockerfile *f = parse("# a comment\n\nFROM a \\\n# inside\n  \\ \n  AS b\r\n"
				     "run one \\\\\nRUN two");

	CHECK(f);
	CHECK_INT(f->n, 3);
	CHECK_INT(f->v[0].args.n, 3);
	CHECK_STR(f->v[0].args.v[2], "b");
	CHECK_INT(f->v[0].line, 3);
	CHECK_INT(f->v[0].last_line, 6);
	CHECK_STR(f->v[1].args.v[0], "one \\\\");
	CHECK_INT(f->v[2].line, 8);
	CHECK(f->oddities & DOCKERFILE_MIXED_CASE);
}

TEST(directives)
{
	struct dockerfile *f = parse("# syntax = docker/dockerfile:1\n#escape=`\n# check=skip=all\n"
				     "FROM a\nRUN a `\n  b\n");

	CHECK(f);
	CHECK_STR(f->syntax, "docker/dockerfile:1");
	CHECK_STR(f->check, "skip=all");
	CHECK_STR(f->v[1].args.v[0], "a   b");
	f = parse("# a remark\n# escape=`\nFROM a\nRUN a `\n");
	CHECK(f);
	CHECK_INT(f->escape, '\\');
	CHECK(strstr(refusal("# escape=x\nFROM a\n"), "Dockerfile:1: escape=x"));
	CHECK(strstr(refusal("# escape=`\n# escape=`\nFROM a\n"), "twice"));
}

TEST(flags)
{
	struct dockerfile *f =
	    parse("FROM --platform=linux/amd64 a\n"
		  "RUN --mount=type=cache,target=\"/a b\" --mount=type=tmpfs --network=none make\n"
		  "COPY --link --chown=1:2 x y\nRUN -- --not-a-flag\n");

	CHECK(f);
	CHECK_STR(dockerfile_flag(&f->v[0], "platform"), "linux/amd64");
	CHECK_INT(f->v[1].flags_n, 3);
	CHECK_STR(f->v[1].flags[0].value, "type=cache,target=/a b");
	CHECK_STR(f->v[1].args.v[0], "make");
	CHECK_STR(dockerfile_flag(&f->v[2], "link"), "");
	CHECK(!dockerfile_flag(&f->v[2], "from"));
	CHECK_STR(f->v[3].args.v[0], "--not-a-flag");
}

TEST(forms)
{
	struct dockerfile *f =
	    parse("FROM a\nCMD [\"a\", \"b c\"]\nRUN [ -f x ] && y\n"
		  "HEALTHCHECK --interval=5s CMD [\"true\"]\nHEALTHCHECK NONE\n"
		  "SHELL [\"/bin/bash\", \"-c\"]\nEXPOSE 80 443/udp\nVOLUME [\"/a b\"]\n"
		  "CMD\n");

	CHECK(f);
	CHECK(f->v[1].json && f->v[1].args.n == 2);
	CHECK_STR(f->v[1].args.v[1], "b c");
	CHECK(!f->v[2].json);
	CHECK_STR(f->v[2].args.v[0], "[ -f x ] && y");
	CHECK_STR(f->v[3].args.v[0], "CMD");
	CHECK_STR(f->v[3].args.v[1], "true");
	CHECK_STR(f->v[4].args.v[0], "NONE");
	CHECK_INT(f->v[6].args.n, 2);
	CHECK_STR(f->v[7].args.v[0], "/a b");
	CHECK_INT(f->v[8].args.n, 0);
}

TEST(pairs)
{
	struct dockerfile *f =
	    parse("ARG V=1\nFROM a\nENV A=1 B=\"x y\" C=a\\ b\nENV OLD the rest  of it\n"
		  "ARG X Y=2\nLABEL \"a.b\"=\"c\"\n");

	CHECK(f);
	CHECK_STR(f->v[0].pairs[0].value, "1");
	CHECK_INT(f->v[2].pairs_n, 3);
	CHECK_STR(f->v[2].pairs[1].value, "\"x y\"");
	CHECK_STR(f->v[2].pairs[2].value, "a\\ b");
	CHECK_STR(f->v[3].pairs[0].key, "OLD");
	CHECK_STR(f->v[3].pairs[0].value, "the rest  of it");
	CHECK(f->oddities & DOCKERFILE_LEGACY_PAIR);
	CHECK(!f->v[4].pairs[0].value);
	CHECK_STR(f->v[4].pairs[1].value, "2");
}

TEST(heredocs)
{
	struct dockerfile *f =
	    parse("FROM a\nRUN <<EOF cat <<-'B' > /x\none $A\nEOF\n\t\ttwo $A\n\tB\n"
		  "COPY <<a 3<<b /d/\nA\na\nb\nONBUILD RUN <<X\nx\nX\nRUN cat <<<here\n");

	CHECK(f);
	CHECK_INT(f->n, 5);
	CHECK_INT(f->v[1].heredocs_n, 2);
	CHECK_STR(f->v[1].heredocs[0].content, "one $A\n");
	CHECK(f->v[1].heredocs[0].expand);
	CHECK_STR(f->v[1].heredocs[1].name, "B");
	CHECK_STR(f->v[1].heredocs[1].content, "two $A\n");
	CHECK(!f->v[1].heredocs[1].expand);
	CHECK_INT(f->v[1].last_line, 6);
	CHECK_INT(f->v[2].heredocs[1].fd, 3);
	CHECK_STR(f->v[2].heredocs[1].content, "");
	CHECK_STR(f->v[3].child->heredocs[0].content, "x\n");
	CHECK_INT(f->v[4].heredocs_n, 0);
}

TEST(refused)
{
	static const char *const cases[][2] = {
	    {"", "Dockerfile: no instruction FROM"},
	    {"ARG A\n", "no instruction FROM"},
	    {"RUN x\n", "Dockerfile:1: RUN before the first FROM"},
	    {"FROM a\n\nFORM b\n", "Dockerfile:3: unknown instruction: FORM (did you mean FROM?)"},
	    {"FROM\n", "FROM wants IMAGE"},
	    {"FROM a b c\n", "FROM wants IMAGE"},
	    {"FROM a\nRUN\n", "Dockerfile:2: RUN wants a command"},
	    {"FROM a\nRUN <<EOF\nx\n", "Dockerfile:2: the heredoc 'EOF' has no end"},
	    {"FROM a\nCOPY x\n", "COPY wants at least one source"},
	    {"FROM a\nCOPY --form=x a b\n", "unknown flag --form of COPY"},
	    {"FROM a\nCOPY --from= a b\n", "--from of COPY wants a value"},
	    {"FROM a\nCOPY --link=2 a b\n", "want true or false"},
	    {"FROM a\nCOPY --from=a --from=b a b\n", "twice"},
	    {"FROM a\nENV A=1 B\n", "'B' has no '='"},
	    {"FROM a\nENV A\n", "ENV wants KEY=VALUE"},
	    {"FROM a\nENV =x\n", "empty"},
	    {"FROM a\nSHELL /bin/sh\n", "SHELL wants a JSON array"},
	    {"FROM a\nCMD [1]\n", "no string"},
	    {"FROM a\nHEALTHCHECK x\n", "NONE or CMD"},
	    {"FROM a\nHEALTHCHECK CMD\n", "a command behind CMD"},
	    {"FROM a\nONBUILD ONBUILD RUN x\n", "ONBUILD is not allowed"},
	    {"FROM a\nONBUILD FROM x\n", "FROM is not allowed"},
	    {"FROM a\nUSER a b\n", "exactly one"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *msg = refusal(cases[i][0]);

		if (!strstr(msg, cases[i][1]))
			printf("# %s: '%s'\n", cases[i][0], msg);
		CHECK(strstr(msg, cases[i][1]));
	}
	CHECK_STR(refusal("FROM a\nCOPY --exclude=x --exclude=y a b\nRUN x\n"), "");
}

/* 10 MB in one line and 100,000 instructions are large, and not wrong. */
TEST(large)
{
	auto_buf struct buf text = BUF_INIT(DOCKERFILE_MAX);
	struct dockerfile *f = NULL;
	struct err e = ERR_INIT;

	buf_puts(&text, "FROM a\nENV ");
	while (text.len < 10 << 20)
		buf_puts(&text, "A=\"b c\" ");
	CHECK_INT(dockerfile_parse(text.p, text.len, "Dockerfile", &arena, &f, NULL, &e), 0);
	CHECK(f->v[1].pairs_n > 1000000);
	text.len = 0;
	buf_puts(&text, "FROM a\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&text, "RUN a <<b\nb\n");
	CHECK_INT(dockerfile_parse(text.p, text.len, "Dockerfile", &arena, &f, NULL, &e), 0);
	CHECK_INT(f->n, 100001);
}

TEST(one)
{
	struct dockerfile_instr *in = NULL;
	struct err e = ERR_INIT;

	CHECK_INT(dockerfile_parse_one("ENV a=b", 7, "--change", &arena, &in, &e), 0);
	CHECK_STR(in->pairs[0].value, "b");
	CHECK(dockerfile_parse_one("ENV a=b\nENV c=d", 15, "--change", &arena, &in, &e) < 0);
	CHECK(strstr(e.msg, "--change: 2 instructions"));
}

TEST_MAIN(T(lines), T(directives), T(flags), T(forms), T(pairs), T(heredocs), T(refused), T(large),
	  T(one))
