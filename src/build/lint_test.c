/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/str.h"
#include "base/test.h"
#include "build/lint.h"
#include "build/stages.h"
#include "fmt/dockerfile.h"
#include "fmt/dockerignore.h"

static struct arena arena;

/* "Rule:line Rule:line", or the error. */
static const char *rules(const char *text, const char *ignore_text)
{
	struct dockerfile *f = NULL;
	struct scope_args given = {0};
	struct stages stages;
	struct dockerignore ignore = {0};
	struct lint_input in = {.stages = &stages,
				.text = text,
				.len = strlen(text),
				.ignore = ignore_text ? &ignore : NULL};
	struct lint out;
	struct err e = ERR_INIT;
	const char *s = "";

	if (dockerfile_parse(text, strlen(text), "Dockerfile", &arena, &f, NULL, &e) < 0 ||
	    stages_make(f, "Dockerfile", NULL, &given, &arena, &stages, &e) < 0)
		return arena_dup(&arena, e.msg);
	if (ignore_text)
		dockerignore_parse(ignore_text, strlen(ignore_text), "i", &arena, &ignore, &e);
	in.file = f;
	if (lint_run(&in, &arena, &out, &e) < 0)
		return arena_dup(&arena, e.msg);
	for (size_t i = 0; i < out.n; i++)
		s = arena_printf(&arena, "%s%s%s:%d", s, *s ? " " : "", out.v[i].rule,
				 out.v[i].line);
	return s;
}

static const char *const cases[][2] = {
    {"FROM a AS b\nRUN x\nCMD [\"y\"]\n", ""},
    {"FROM a\nrun x\n", "ConsistentInstructionCasing:2"},
    {"FROM a AS b\nFROM c AS b\n", "DuplicateStageName:2"},
    {"FROM a\nEXPOSE 80/TCP\n", "ExposeProtoCasing:2"},
    {"FROM a\nEXPOSE 127.0.0.1:80:80\n", "ExposeInvalidFormat:2"},
    {"FROM a as b\n", "FromAsCasing:1"},
    {"FROM --platform=linux/amd64 a\n", "FromPlatformFlagConstDisallowed:1"},
    {"ARG V\nFROM a:${V}\n", "InvalidDefaultArgInFrom:2 UndefinedArgInFrom:2"},
    {"FROM a\nCMD x\n", "JSONArgsRecommended:2"},
    {"FROM a\nSHELL [\"b\"]\nCMD x\n", ""},
    {"FROM a\nENV A b\n", "LegacyKeyValueFormat:2"},
    {"FROM a\nENV E=e\nENV \\\n  V=1\n", ""},
    {"FROM a\nMAINTAINER x\n", "MaintainerDeprecated:2"},
    {"FROM a\nCMD [\"x\"]\nCMD [\"y\"]\n", "MultipleInstructionsDisallowed:2"},
    {"FROM a\nRUN x \\\n\n y\n", "NoEmptyContinuation:3"},
    {"FROM --platform=$TARGETPLATFORM a\n", "RedundantTargetPlatform:1"},
    {"FROM a AS scratch\n", "ReservedStageName:1"},
    {"FROM a\nARG API_TOKEN\nENV PUBLIC_KEY=x\n", "SecretsUsedInArgOrEnv:2"},
    {"FROM a AS Big\n", "StageNameCasing:1"},
    {"FROM scratch\nCOPY $x y\nCOPY ${z:-a} b\n", "UndefinedVar:2"},
    {"FROM scratch\nARG x\nENV y=1\nCOPY $y z\n", ""},
    {"FROM a\nWORKDIR b\nWORKDIR c\n", "WorkdirRelativePath:2"},
    {"# x is\nFROM a AS b\n# of c\nARG c\n", ""},
    {"# check=experimental=InvalidDefinitionDescription\n# other\nFROM a AS b\n# of c\nARG c\n",
     "InvalidDefinitionDescription:3 InvalidDefinitionDescription:5"},
    {"# check=experimental=all\n# b is good\nFROM a AS b\n# c too\nARG c d\n# not it\n\nARG e\n",
     ""},
    {"# check=experimental=all;skip=InvalidDefinitionDescription\n# x\nFROM a AS b\n", ""},
    {"FROM scratch AS a\nENV x=1\nFROM a AS b\nCOPY $x $y\n", "UndefinedVar:4"},
};

TEST(each_rule)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		CHECK_STR(rules(cases[i][0], NULL), cases[i][1]);
}

TEST(ignored_files)
{
	CHECK_STR(rules("FROM a\nCOPY ./doc/x /\nCOPY src /\nCOPY --from=b doc /\n", "doc\n"),
		  "CopyIgnoredFile:2");
}

TEST(directive)
{
	CHECK_STR(
	    rules(
		"# check=skip=JSONArgsRecommended,StageNameCasing;error=true\nFROM a AS B\nCMD x\n",
		NULL),
	    "");
	CHECK_STR(rules("# check=skip=all\nFROM a as B\nCMD x\n", NULL), "");
	CHECK(strstr(rules("# check=skip=Nonsense\nFROM a\n", NULL), "no rule of that name"));
	CHECK(strstr(rules("# check=nonsense\nFROM a\n", NULL), "want skip=RULES"));
}

TEST(every_rule_has_a_case)
{
	for (size_t r = 0; lint_rules[r]; r++) {
		bool found = streq(lint_rules[r], "CopyIgnoredFile"); /* ignored_files */

		for (size_t i = 0; !found && i < sizeof(cases) / sizeof(*cases); i++)
			found = strstr(cases[i][1], lint_rules[r]) != NULL;
		if (!found)
			printf("# %s\n", lint_rules[r]);
		CHECK(found);
	}
}

TEST_MAIN(T(each_rule), T(ignored_files), T(directive), T(every_rule_has_a_case))
