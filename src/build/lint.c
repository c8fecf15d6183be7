/* SPDX-License-Identifier: Apache-2.0 */
#include "build/lint.h"
#include "base/err.h"
#include "base/str.h"
#include "build/imageconf.h"
#include "build/stages.h"
#include "fmt/dockerfile.h"
#include "fmt/dockerignore.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define WARNINGS_MAX 1000 /* more are not read by anybody */

#define RULES(X)                                                                                   \
	X(ConsistentInstructionCasing)                                                             \
	X(CopyIgnoredFile)                                                                         \
	X(DuplicateStageName)                                                                      \
	X(ExposeInvalidFormat)                                                                     \
	X(ExposeProtoCasing)                                                                       \
	X(FromAsCasing)                                                                            \
	X(FromPlatformFlagConstDisallowed)                                                         \
	X(InvalidDefaultArgInFrom)                                                                 \
	X(InvalidDefinitionDescription)                                                            \
	X(JSONArgsRecommended)                                                                     \
	X(LegacyKeyValueFormat)                                                                    \
	X(MaintainerDeprecated)                                                                    \
	X(MultipleInstructionsDisallowed)                                                          \
	X(NoEmptyContinuation)                                                                     \
	X(RedundantTargetPlatform)                                                                 \
	X(ReservedStageName)                                                                       \
	X(SecretsUsedInArgOrEnv)                                                                   \
	X(StageNameCasing)                                                                         \
	X(UndefinedArgInFrom)                                                                      \
	X(UndefinedVar)                                                                            \
	X(WorkdirRelativePath)

enum rule {
#define X(name) RULE_##name,
	RULES(X)
#undef X
	    RULE_MAX_
};

const char *const lint_rules[] = {
#define X(name) #name,
    RULES(X)
#undef X
	NULL};

struct run {
	const struct lint_input *in;
	struct arena *a;
	bool skip[RULE_MAX_];
	struct strs *env; /* by stage, what it ends with; .v NULL: not known */
	struct lint *out;
};

__attribute__((format(printf, 4, 5))) static void warn(struct run *r, enum rule rule, int line,
						       const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (r->skip[rule] || r->out->n == WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	r->out->v[r->out->n++] = (struct lint_warning){
	    .rule = lint_rules[rule], .text = arena_dup(r->a, text), .line = line};
}

/* ---- the directive ---- */

/* Turn rules on or off. */
static int set_rules(struct run *r, const char *list, bool skip, struct err *e)
{
	while (*list) {
		size_t n = strcspn(list, ","), i = 0;

		if (n == 3 && !strncasecmp(list, "all", 3)) {
			for (int k = 0; k < RULE_MAX_; k++)
				r->skip[k] = skip;
		} else {
			while (i < RULE_MAX_ && (strlen(lint_rules[i]) != n ||
						 strncasecmp(list, lint_rules[i], n) != 0))
				i++;
			if (i == RULE_MAX_)
				return err_set(e, ERR_USAGE, "check=%s=%.*s: no rule of that name",
					       skip ? "skip" : "experimental",
					       (int)(n > 64 ? 64 : n), list);
			r->skip[i] = skip;
		}
		list += n;
		list += *list == ',';
	}
	return 0;
}

static int read_directive(struct run *r, const char *text, struct err *e)
{
	const char *skipped = NULL;

	/* An experiment: only for who asks for it. */
	r->skip[RULE_InvalidDefinitionDescription] = true;
	while (text && *text) {
		size_t n = strcspn(text, ";");
		char *part = arena_dupn(r->a, text, n), *value = strchr(part, '=');
		int ret = 0;

		if (value)
			*value++ = 0;
		if (value && !strcasecmp(part, "skip"))
			skipped = value;
		else if (value && !strcasecmp(part, "error"))
			r->out->error = !strcasecmp(value, "true");
		else if (value && !strcasecmp(part, "experimental") && strcasecmp(value, "all"))
			ret = set_rules(r, value, false, e);
		else if (value && !strcasecmp(part, "experimental"))
			r->skip[RULE_InvalidDefinitionDescription] = false;
		else
			ret = err_set(e, ERR_USAGE, "check=%.64s: want skip=RULES or error=true",
				      part);
		if (ret < 0)
			return ret;
		text += n;
		text += *text == ';';
	}
	/* What is to be skipped is, whatever else is said. */
	return skipped ? set_rules(r, skipped, true, e) : 0;
}

/* ---- the file as a whole ---- */

static bool has_upper(const char *s)
{
	for (; *s; s++)
		if (isupper((unsigned char)*s))
			return true;
	return false;
}

static void check_file(struct run *r)
{
	const struct dockerfile *f = r->in->file;

	if (f->oddities & DOCKERFILE_EMPTY_CONTINUATION)
		warn(r, RULE_NoEmptyContinuation, f->oddity_line,
		     "an empty line continues an instruction");
	if (f->oddities & DOCKERFILE_MIXED_CASE)
		warn(r, RULE_ConsistentInstructionCasing, f->oddity_line,
		     "some instructions are in capitals and some are not");
}

/* ---- comments ---- */

/* The comment in the line before, behind its '#' and one blank; NULL: none. */
static const char *comment_before(const struct run *r, int line)
{
	const char *p = r->in->text, *end = p ? p + r->in->len : NULL;
	const char *nl;

	for (int i = 1; p && i < line - 1; i++) {
		nl = memchr(p, '\n', (size_t)(end - p));
		p = nl ? nl + 1 : NULL;
	}
	if (!p || line < 2)
		return NULL;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	if (p == end || *p++ != '#')
		return NULL;
	p += p < end && *p == ' ';
	nl = memchr(p, '\n', (size_t)(end - p));
	return arena_dupn(r->a, p, (size_t)((nl ? nl : end) - p));
}

/* A comment right above a stage, or an ARG, is taken for its description, which begins with its
 * name. */
static void check_description(struct run *r, const struct dockerfile_instr *in, const char *stage)
{
	const char *text = comment_before(r, in->line);
	size_t n = text ? strcspn(text, " \t\r") : 0;
	const char *name = stage ? stage : in->pairs_n ? in->pairs[0].key : NULL;
	bool named = !name || strchr(text ? text : "=", '=');

	for (size_t i = 0; !stage && text && i < in->pairs_n; i++)
		named |= strlen(in->pairs[i].key) == n && !strncmp(text, in->pairs[i].key, n);
	if (stage && text)
		named |= strlen(stage) == n && !strncasecmp(text, stage, n);
	if (text && !named)
		warn(r, RULE_InvalidDefinitionDescription, in->line,
		     "the comment above describes '%s' if it begins with '%s '; else put an empty "
		     "line between",
		     name, name);
}

/* ---- FROM ---- */

static void check_stage_name(struct run *r, size_t i)
{
	const struct stages_one *st = &r->in->stages->v[i];
	const struct strs *w = &st->from->args;
	bool upper = isupper((unsigned char)*st->from->source);

	if (w->n < 3)
		return;
	if (has_upper(w->v[2]))
		warn(r, RULE_StageNameCasing, st->from->line,
		     "the stage name '%s' is not in small letters", w->v[2]);
	if ((isupper((unsigned char)w->v[1][0]) != 0) != upper)
		warn(r, RULE_FromAsCasing, st->from->line, "'%s' and FROM differ in case", w->v[1]);
	if (streq(st->name, "scratch") || streq(st->name, "context"))
		warn(r, RULE_ReservedStageName, st->from->line, "'%s' has a meaning of its own",
		     st->name);
	for (size_t k = 0; k < i; k++)
		if (r->in->stages->v[k].name && streq(r->in->stages->v[k].name, st->name)) {
			warn(r, RULE_DuplicateStageName, st->from->line,
			     "the stage name '%s' is taken already", st->name);
			break;
		}
}

/* Whether FROM would have an image without any --build-arg. */
static void check_defaults(struct run *r, const struct stages_one *st)
{
	struct scope_args nothing = {0};
	struct scope defaults;
	const char *word = NULL;
	bool declared = true;

	scope_init(&defaults, NULL, &nothing, r->in->file->escape, r->a);
	for (size_t i = 0; i < r->in->file->n && r->in->file->v[i].kind == DOCKERFILE_ARG; i++)
		scope_arg(&defaults, &r->in->file->v[i], NULL);
	for (const char *p = st->from->args.v[0]; (p = strchr(p, '$')); p++)
		declared &= !str_after(p, "$TARGET") && !str_after(p, "${TARGET") &&
			    !str_after(p, "$BUILD") && !str_after(p, "${BUILD");
	if (!declared || scope_word(&defaults, st->from->args.v[0], &word, NULL) < 0 ||
	    !defaults.undefined)
		return;
	if (!*word || *word == ':' || *word == '@' || strchr(":@/", word[strlen(word) - 1]))
		warn(r, RULE_InvalidDefaultArgInFrom, st->from->line,
		     "FROM %s names no image unless %s is given", st->from->args.v[0],
		     defaults.undefined);
}

static void check_from(struct run *r, size_t i)
{
	const struct stages_one *st = &r->in->stages->v[i];
	const char *platform = dockerfile_flag(st->from, "platform");
	struct scope probe = r->in->stages->global;
	const char *word = NULL;

	check_stage_name(r, i);
	if (st->name)
		check_description(r, st->from, st->name);
	if (platform &&
	    (streq(platform, "$TARGETPLATFORM") || streq(platform, "${TARGETPLATFORM}")))
		warn(r, RULE_RedundantTargetPlatform, st->from->line,
		     "--platform=%s is what it would be without", platform);
	else if (platform && !strchr(platform, '$'))
		warn(r, RULE_FromPlatformFlagConstDisallowed, st->from->line,
		     "--platform=%s allows no other platform", platform);
	probe.undefined = NULL;
	if (scope_word(&probe, st->from->args.v[0], &word, NULL) >= 0 && probe.undefined)
		warn(r, RULE_UndefinedArgInFrom, st->from->line,
		     "FROM uses %s, which no ARG before it declares", probe.undefined);
	check_defaults(r, st);
}

/* ---- instructions of a stage ---- */

/* The words of a name that is likely to hold a secret; "public" ones are not. */
static bool names_a_secret(const char *name)
{
	static const char *const words[] = {"apikey", "auth",	"credential", "credentials",
					    "key",    "passwd", "password",   "pword",
					    "secret", "token"};
	char low[128];
	size_t n = 0, len;

	for (; name[n] && n < sizeof(low) - 1; n++)
		low[n] = (char)tolower((unsigned char)name[n]);
	low[n] = 0;
	if (strstr(low, "public"))
		return false;
	for (const char *p = low; *p; p += len, p += *p != 0) {
		len = strcspn(p, "_-.");
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (strlen(words[i]) == len && !memcmp(p, words[i], len))
				return true;
	}
	return false;
}

static void check_pairs(struct run *r, const struct dockerfile_instr *in)
{
	const char *eq;

	if (in->kind == DOCKERFILE_LABEL || in->kind == DOCKERFILE_ENV) {
		/* KEY VALUE leaves one pair whose key is followed by a blank in the text. */
		eq = strstr(in->source + strcspn(in->source, " \t\\"), in->pairs[0].key);
		if (in->pairs_n == 1 && eq && eq[strlen(in->pairs[0].key)] != '=')
			warn(r, RULE_LegacyKeyValueFormat, in->line, "write %s KEY=VALUE, with '='",
			     dockerfile_names[in->kind]);
	}
	for (size_t i = 0; in->kind != DOCKERFILE_LABEL && i < in->pairs_n; i++)
		if (names_a_secret(in->pairs[i].key))
			warn(r, RULE_SecretsUsedInArgOrEnv, in->line,
			     "%s %s would keep a secret in the image; use RUN --mount=type=secret",
			     dockerfile_names[in->kind], in->pairs[i].key);
}

static void check_expose(struct run *r, const struct dockerfile_instr *in)
{
	for (size_t i = 0; i < in->args.n; i++) {
		const char *word = in->args.v[i], *slash = strchr(word, '/');

		if (strchr(word, '.') || strchr(word, ':'))
			warn(r, RULE_ExposeInvalidFormat, in->line,
			     "EXPOSE %s: addresses and mappings are ignored, want PORT[/PROTOCOL]",
			     word);
		if (slash && has_upper(slash))
			warn(r, RULE_ExposeProtoCasing, in->line,
			     "EXPOSE %s: write the protocol in small letters", word);
	}
}

static void check_copy(struct run *r, const struct dockerfile_instr *in)
{
	if (!r->in->ignore || dockerfile_flag(in, "from"))
		return;
	for (size_t i = 0; i + 1 < in->args.n; i++) {
		const char *p = in->args.v[i];
		size_t n;
		char path[4096];

		while (*p == '/' || (p[0] == '.' && p[1] == '/'))
			p++;
		n = strlen(p);
		while (n && p[n - 1] == '/')
			n--;
		if (!n || n >= sizeof(path) || strpbrk(p, "*?[$<") || strstr(p, "://"))
			continue;
		memcpy(path, p, n);
		path[n] = 0;
		if (dockerignore_match(r->in->ignore, path))
			warn(r, RULE_CopyIgnoredFile, in->line, "'%s' is left out by .dockerignore",
			     path);
	}
}

static void check_twice(struct run *r, const struct stages_one *st, enum dockerfile_kind kind)
{
	const struct dockerfile_instr *before = NULL;

	for (size_t i = 0; i < st->n; i++) {
		if (st->v[i].kind != kind)
			continue;
		if (before)
			warn(r, RULE_MultipleInstructionsDisallowed, before->line,
			     "only the last %s of a stage counts", dockerfile_names[kind]);
		before = &st->v[i];
	}
}

static void check_instr(struct run *r, const struct dockerfile_instr *in)
{
	if (in->kind == DOCKERFILE_ARG)
		check_description(r, in, NULL);
	if (in->kind == DOCKERFILE_ARG || in->kind == DOCKERFILE_ENV ||
	    in->kind == DOCKERFILE_LABEL)
		check_pairs(r, in);
	else if (in->kind == DOCKERFILE_EXPOSE)
		check_expose(r, in);
	else if (in->kind == DOCKERFILE_COPY || in->kind == DOCKERFILE_ADD)
		check_copy(r, in);
	else if (in->kind == DOCKERFILE_MAINTAINER)
		warn(r, RULE_MaintainerDeprecated, in->line,
		     "use LABEL org.opencontainers.image.authors");
}

/* A shell between the command and its signals, unless a SHELL says that this is wanted. */
static void check_forms(struct run *r, const struct stages_one *st)
{
	bool shell = false, absolute = st->base_stage >= 0;

	for (size_t i = 0; i < st->n; i++) {
		const struct dockerfile_instr *in = &st->v[i];

		shell |= in->kind == DOCKERFILE_SHELL;
		if ((in->kind == DOCKERFILE_CMD || in->kind == DOCKERFILE_ENTRYPOINT) &&
		    in->args.n && !in->json && !shell)
			warn(r, RULE_JSONArgsRecommended, in->line,
			     "%s in JSON form gets signals itself: [\"command\", \"argument\"]",
			     dockerfile_names[in->kind]);
		if (in->kind == DOCKERFILE_WORKDIR) {
			const char *p = in->args.v[0];

			if (!absolute && *p != '/' && *p != '$' && *p != '"' && *p != '\'')
				warn(r, RULE_WorkdirRelativePath, in->line,
				     "WORKDIR %s depends on the base image", p);
			absolute = true;
		}
	}
}

/* ---- variables ---- */

static void use(struct run *r, struct scope *s, const struct dockerfile_instr *in, const char *word)
{
	const char *out = NULL;

	s->undefined = NULL;
	/* ${X:-y} and its like say themselves what is to happen. */
	if (scope_word(s, word, &out, NULL) >= 0 && s->undefined &&
	    !strstr(word, arena_printf(r->a, "{%s:", s->undefined)) &&
	    !strstr(word, arena_printf(r->a, "{%s-", s->undefined)) &&
	    !strstr(word, arena_printf(r->a, "{%s+", s->undefined)) &&
	    !strstr(word, arena_printf(r->a, "{%s?", s->undefined)))
		warn(r, RULE_UndefinedVar, in->line, "'$%s' is not set here", s->undefined);
}

static void use_words(struct run *r, struct imageconf *ic, const struct dockerfile_instr *in)
{
	for (size_t i = 0; i < in->pairs_n; i++)
		if (in->pairs[i].value)
			use(r, &ic->scope, in, in->pairs[i].value);
	switch (in->kind) {
	case DOCKERFILE_ADD:
	case DOCKERFILE_COPY:
	case DOCKERFILE_EXPOSE:
	case DOCKERFILE_STOPSIGNAL:
	case DOCKERFILE_USER:
	case DOCKERFILE_VOLUME:
	case DOCKERFILE_WORKDIR:
		for (size_t i = 0; i < in->args.n; i++)
			use(r, &ic->scope, in, in->args.v[i]);
		return;
	case DOCKERFILE_ARG:
	case DOCKERFILE_CMD:
	case DOCKERFILE_ENTRYPOINT:
	case DOCKERFILE_ENV:
	case DOCKERFILE_FROM:
	case DOCKERFILE_HEALTHCHECK:
	case DOCKERFILE_LABEL:
	case DOCKERFILE_MAINTAINER:
	case DOCKERFILE_ONBUILD:
	case DOCKERFILE_RUN:
	case DOCKERFILE_SHELL:
	case DOCKERFILE_KIND_MAX_:
		return;
	}
}

/* What a stage begins with: nothing, an image's variables, or what the stage it stands on ended
 * with. */
static bool begin(struct run *r, size_t i, struct imageconf *ic)
{
	const struct stages *all = r->in->stages;
	const struct stages_one *st = &all->v[i];
	const struct oci_config *base = NULL;
	struct oci_config c = {0};

	if (st->base_stage >= 0 && !r->env[st->base_stage].v)
		return false;
	if (st->base_stage >= 0)
		c.config.env = r->env[st->base_stage];
	else if (!streq(st->base, "scratch")) {
		base = r->in->base ? r->in->base(r->in->ctx, i) : NULL;
		if (!base)
			return false;
		for (size_t k = 0; k < base->config.env.n; k++)
			arena_strs_add(r->a, &c.config.env, arena_dup(r->a, base->config.env.v[k]));
	}
	return imageconf_begin(ic, &c, &all->global, all->global.given, r->in->file->escape, r->a,
			       NULL) >= 0;
}

static void check_variables(struct run *r, size_t i)
{
	const struct stages_one *st = &r->in->stages->v[i];
	struct imageconf ic;

	if (!begin(r, i, &ic))
		return;
	for (size_t k = 0; k < st->n; k++) {
		use_words(r, &ic, &st->v[k]);
		if (st->v[k].kind == DOCKERFILE_ARG)
			scope_arg(&ic.scope, &st->v[k], NULL);
		else if (st->v[k].kind == DOCKERFILE_ENV)
			scope_env(&ic.scope, &st->v[k], NULL);
	}
	r->env[i] = scope_environment(&ic.scope);
	/* It is known, even if there is nothing in it. */
	if (!r->env[i].v)
		r->env[i].v = arena_strs_array(r->a, 0);
}

static int by_line(const void *a, const void *b)
{
	const struct lint_warning *x = a, *y = b;

	return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
				  : strcmp(x->rule, y->rule);
}

int lint_run(const struct lint_input *in, struct arena *a, struct lint *out, struct err *e)
{
	struct run r = {.in = in, .a = a, .out = out};
	int ret;

	*out = (struct lint){.v = arena_array(a, WARNINGS_MAX, sizeof(*out->v))};
	ret = read_directive(&r, in->file->check, e);
	if (ret < 0)
		return ret;
	check_file(&r);
	r.env = arena_array(a, in->stages->n + 1, sizeof(*r.env));
	for (size_t i = 0; i < in->stages->n; i++) {
		const struct stages_one *st = &in->stages->v[i];

		check_from(&r, i);
		for (size_t k = 0; k < st->n; k++)
			check_instr(&r, &st->v[k]);
		check_twice(&r, st, DOCKERFILE_CMD);
		check_twice(&r, st, DOCKERFILE_ENTRYPOINT);
		check_twice(&r, st, DOCKERFILE_HEALTHCHECK);
		check_forms(&r, st);
		check_variables(&r, i);
	}
	qsort(out->v, out->n, sizeof(*out->v), by_line);
	return 0;
}
