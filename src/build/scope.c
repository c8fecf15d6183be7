/* SPDX-License-Identifier: Apache-2.0 */
#include "build/scope.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/dockerfile.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const predefined[] = {
    "ALL_PROXY", "FTP_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SOURCE_DATE_EPOCH", NULL,
};

bool scope_predefined(const char *name)
{
	/* Proxies are used in small letters as well; the epoch is not, but nobody calls theirs so.
	 */
	for (size_t i = 0; predefined[i]; i++)
		if (!strcasecmp(name, predefined[i]))
			return true;
	return false;
}

static struct scope_arg *find_arg(const struct scope_args *args, const char *name)
{
	for (size_t i = 0; i < args->n; i++)
		if (streq(args->v[i].name, name))
			return &args->v[i];
	return NULL;
}

static const char *of_environment(char *const *environment, const char *name)
{
	for (; *environment; environment++) {
		const char *rest = str_after(*environment, name);

		if (rest && *rest == '=')
			return rest + 1;
	}
	return NULL;
}

int scope_args_add(struct scope_args *args, const char *text, char *const *environment,
		   struct arena *a, struct err *e)
{
	char *name = arena_dup(a, text), *eq = strchr(name, '=');
	const char *value;
	struct scope_arg *there;

	if (eq)
		*eq = 0;
	if (!*name)
		return err_set(e, ERR_USAGE, "--build-arg '%s': want NAME=VALUE", text);
	value = eq ? eq + 1 : of_environment(environment, name);
	if (!value) /* not set here: as if it had not been said */
		return 0;
	there = find_arg(args, name);
	if (!there) {
		args->v = arena_room(a, args->v, args->n, sizeof(*args->v));
		there = &args->v[args->n++];
	}
	*there = (struct scope_arg){.name = name, .value = value, .used = scope_predefined(name)};
	return 0;
}

void scope_init(struct scope *s, const struct scope *global, struct scope_args *given, char escape,
		struct arena *a)
{
	*s = (struct scope){.given = given, .global = global, .escape = escape, .a = a};
}

static struct scope_var *find_var(const struct scope *s, const char *name, bool env)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].env == env && streq(s->v[i].name, name))
			return &s->v[i];
	return NULL;
}

static int set(struct scope *s, const char *name, const char *value, bool env, struct err *e)
{
	struct scope_var *v = find_var(s, name, env);

	if (v) {
		v->value = value;
		return 0;
	}
	if (s->n == SCOPE_MAX)
		return err_set(e, ERR_LIMIT, "more than %d variables", SCOPE_MAX);
	s->v = arena_room(s->a, s->v, s->n, sizeof(*s->v));
	s->v[s->n++] = (struct scope_var){.name = name, .value = value, .env = env};
	return 0;
}

int scope_env_from(struct scope *s, const struct strs *env, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < env->n; i++) {
		char *name = arena_dup(s->a, env->v[i]), *eq = strchr(name, '=');

		if (!eq || eq == name)
			continue;
		*eq = 0;
		r = set(s, name, eq + 1, true, e);
	}
	return r;
}

int scope_arg_from(struct scope *s, const struct scope *base, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < base->n; i++)
		if (!base->v[i].env)
			r = set(s, base->v[i].name, base->v[i].value, false, e);
	return r;
}

const char *scope_get(const struct scope *s, const char *name)
{
	const struct scope_var *v = find_var(s, name, true);
	const struct scope_arg *given;

	if (!v)
		v = find_var(s, name, false);
	if (v)
		return v->value;
	given = scope_predefined(name) ? find_arg(s->given, name) : NULL;
	return given ? given->value : NULL;
}

static const char *get_noting(void *ctx, const char *name)
{
	struct scope *s = ctx;
	const char *value = scope_get(s, name);

	if (!value)
		s->undefined = name;
	return value;
}

static struct dockervar expander(struct scope *s)
{
	return (struct dockervar){.get = get_noting, .ctx = s, .escape = s->escape};
}

int scope_word(struct scope *s, const char *word, const char **out, struct err *e)
{
	struct dockervar v = expander(s);

	return dockervar_word(&v, word, s->a, out, e);
}

int scope_words(struct scope *s, const char *word, struct strs *out, struct err *e)
{
	struct dockervar v = expander(s);

	return dockervar_words(&v, word, s->a, out, e);
}

int scope_text(struct scope *s, const char *text, const char **out, struct err *e)
{
	struct dockervar v = expander(s);

	v.no_quotes = true;
	return dockervar_word(&v, text, s->a, out, e);
}

/* What an ARG's value is: given, its default, or the file's. */
static int arg_value(struct scope *s, const struct dockerfile_pair *p, const char *name,
		     const char **out, struct err *e)
{
	struct scope_arg *given = find_arg(s->given, name);

	if (given) {
		given->used = true;
		*out = given->value;
		return 0;
	}
	*out = NULL;
	if (p->value)
		return scope_word(s, p->value, out, e);
	if (s->global)
		*out = scope_get(s->global, name);
	return 0;
}

int scope_arg(struct scope *s, const struct dockerfile_instr *in, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->pairs_n; i++) {
		const char *name = NULL, *value = NULL;

		r = scope_word(s, in->pairs[i].key, &name, e);
		if (r >= 0)
			r = arg_value(s, &in->pairs[i], name, &value, e);
		if (r >= 0)
			r = set(s, name, value, false, e);
	}
	return r;
}

int scope_env(struct scope *s, const struct dockerfile_instr *in, struct err *e)
{
	struct dockerfile_pair *v = arena_array(s->a, in->pairs_n, sizeof(*v));
	int r = 0;

	for (size_t i = 0; r >= 0 && i < in->pairs_n; i++) {
		r = scope_word(s, in->pairs[i].key, &v[i].key, e);
		if (r >= 0)
			r = scope_word(s, in->pairs[i].value, &v[i].value, e);
		if (r >= 0 && !*v[i].key)
			r = err_set(e, ERR_USAGE, "ENV: a name before '=' is empty");
	}
	for (size_t i = 0; r >= 0 && i < in->pairs_n; i++)
		r = set(s, v[i].key, v[i].value, true, e);
	return r;
}

struct strs scope_environment(const struct scope *s)
{
	struct strs out = {0};

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].env)
			arena_strs_add(s->a, &out,
				       arena_printf(s->a, "%s=%s", s->v[i].name, s->v[i].value));
	return out;
}

struct strs scope_arguments(const struct scope *s)
{
	struct strs out = {0};

	for (size_t i = 0; i < s->n; i++)
		if (!s->v[i].env && s->v[i].value && !find_var(s, s->v[i].name, true))
			arena_strs_add(s->a, &out,
				       arena_printf(s->a, "%s=%s", s->v[i].name, s->v[i].value));
	arena_strs_sort(&out);
	return out;
}
