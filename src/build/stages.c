/* SPDX-License-Identifier: Apache-2.0 */
#include "build/stages.h"
#include "base/err.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *stages_field(const char *list, const char *key, struct arena *a)
{
	size_t len = strlen(key);

	while (*list) {
		size_t n = strcspn(list, ",");

		if (n > len && !strncasecmp(list, key, len) && list[len] == '=')
			return arena_dupn(a, list + len + 1, n - len - 1);
		list += n;
		list += *list == ',';
	}
	return NULL;
}

static int find_before(const struct stages *s, const char *name, size_t end)
{
	char *rest;
	unsigned long number;

	for (size_t i = end; i-- > 0;) /* the last one of a name is meant */
		if (s->v[i].name && !strcasecmp(s->v[i].name, name))
			return (int)i;
	if (!isdigit((unsigned char)*name))
		return -1;
	errno = 0;
	number = strtoul(name, &rest, 10);
	return !errno && !*rest && number < end ? (int)number : -1;
}

int stages_find(const struct stages *s, const char *name)
{
	return find_before(s, name, s->n);
}

static void need(struct stages_one *to, int stage, struct arena *a)
{
	int *v;

	for (size_t i = 0; i < to->needs_n; i++)
		if (to->needs[i] == stage)
			return;
	v = arena_array(a, to->needs_n + 1, sizeof(*v));
	if (to->needs_n)
		memcpy(v, to->needs, to->needs_n * sizeof(*v));
	v[to->needs_n++] = stage;
	to->needs = v;
}

static bool name_fits(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	return true;
}

/* FROM [--platform=P] IMAGE [AS NAME] */
static int read_from(struct stages *s, const struct dockerfile_instr *in, struct arena *a,
		     struct err *e)
{
	struct stages_one *st = &s->v[s->n];
	const char *base = NULL, *platform = dockerfile_flag(in, "platform");
	int r = scope_word(&s->global, in->args.v[0], &base, e);

	*st = (struct stages_one){.from = in, .base_stage = -1};
	if (r >= 0 && platform)
		r = scope_word(&s->global, platform, &st->platform, e);
	if (r < 0)
		return r;
	if (!*base)
		return err_set(e, ERR_USAGE,
			       "FROM '%s' is empty once its variables are replaced%s%s%s",
			       in->args.v[0], s->global.undefined ? ": no ARG " : "",
			       s->global.undefined ? s->global.undefined : "",
			       s->global.undefined ? " stands before the first FROM" : "");
	if (in->args.n == 3) {
		char *name = arena_dup(a, in->args.v[2]);

		if (!name_fits(name))
			return err_set(
			    e, ERR_USAGE,
			    "'%s' is no name for a stage, want a letter and then letters, "
			    "digits, '-', '_' or '.'",
			    name);
		for (char *c = name; *c; c++)
			*c = (char)tolower((unsigned char)*c);
		st->name = name;
	}
	st->title = st->name ? st->name : arena_printf(a, "stage-%zu", s->n);
	st->base_stage = find_before(s, base, s->n);
	if (st->base_stage < 0)
		st->base = base;
	else
		need(st, st->base_stage, a);
	s->n++;
	return 0;
}

/* A stage's name in COPY --from and RUN --mount is no place for variables: the graph must be known
 * before the first of them has a value. */
static int take_from(struct stages *s, size_t i, const char *name, struct arena *a, struct err *e)
{
	int stage;

	if (strchr(name, '$'))
		return err_set(
		    e, ERR_USAGE,
		    "'%s': variables are not replaced here; give the image a stage of its own: "
		    "FROM %s AS NAME",
		    name, name);
	stage = stages_find(s, name);
	if (stage == (int)i)
		return err_set(e, ERR_USAGE, "stage '%s' takes files from itself", s->v[i].title);
	if (stage >= 0)
		need(&s->v[i], stage, a);
	return 0;
}

static int read_needs(struct stages *s, size_t i, const struct dockerfile_instr *in,
		      struct arena *a, struct err *e)
{
	int r = 0;

	for (size_t k = 0; r >= 0 && k < in->flags_n; k++) {
		const struct dockerfile_flag *f = &in->flags[k];
		const char *from = NULL;

		if (streq(f->name, "from"))
			from = f->value;
		else if (streq(f->name, "mount"))
			from = stages_field(f->value, "from", a);
		if (from)
			r = take_from(s, i, from, a, e);
	}
	return r;
}

/* Depth first: what a stage needs goes before it.  path marks the way here, to find circles. */
static int visit(struct stages *s, size_t i, bool *path, struct err *e)
{
	struct stages_one *st = &s->v[i];

	if (path[i]) {
		s->line = st->from->line;
		return err_set(e, ERR_USAGE, "stage '%s' needs itself, by way of others",
			       st->title);
	}
	if (st->needed)
		return 0;
	path[i] = true;
	for (size_t k = 0; k < st->needs_n; k++) {
		int r = visit(s, (size_t)st->needs[k], path, e);

		if (r < 0)
			return r;
	}
	path[i] = false;
	st->needed = true;
	s->order[s->order_n++] = i;
	return 0;
}

static int choose_target(struct stages *s, const char *target, struct err *e)
{
	int found = target ? stages_find(s, target) : (int)s->n - 1;

	if (found < 0)
		return err_set(e, ERR_USAGE, "--target %s: no stage of that name", target);
	s->target = (size_t)found;
	return 0;
}

static int read_all(struct stages *s, const struct dockerfile *f, struct arena *a, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < f->n; i++) {
		const struct dockerfile_instr *in = &f->v[i];

		s->line = in->line;
		if (in->kind == DOCKERFILE_FROM && s->n == STAGES_MAX)
			r = err_set(e, ERR_LIMIT, "more than %d stages", STAGES_MAX);
		else if (in->kind == DOCKERFILE_FROM)
			r = read_from(s, in, a, e);
		else if (!s->n)
			r = scope_arg(&s->global, in, e);
		else if (!s->v[s->n - 1].n++)
			s->v[s->n - 1].v = in;
	}
	for (size_t i = 0; r >= 0 && i < s->n; i++)
		for (size_t k = 0; r >= 0 && k < s->v[i].n; k++) {
			s->line = s->v[i].v[k].line;
			r = read_needs(s, i, &s->v[i].v[k], a, e);
		}
	return r;
}

/* What is known of platforms needs no ARG before the first FROM. */
static void know_platform(struct stages *s)
{
	for (size_t i = 0; i < s->global.given->n; i++) {
		struct scope_arg *g = &s->global.given->v[i];

		if (str_after(g->name, "TARGET") || str_after(g->name, "BUILDPLATFORM") ||
		    str_after(g->name, "BUILDOS") || str_after(g->name, "BUILDARCH") ||
		    str_after(g->name, "BUILDVARIANT")) {
			struct dockerfile_pair p = {.key = g->name};
			struct dockerfile_instr in = {.pairs = &p, .pairs_n = 1};

			scope_arg(&s->global, &in, NULL);
		}
	}
}

int stages_make(const struct dockerfile *f, const char *name, const char *target,
		struct scope_args *given, struct arena *a, struct stages *out, struct err *e)
{
	struct stages *s = out;
	bool *path;
	int r;

	*s = (struct stages){.v = arena_array(a, STAGES_MAX, sizeof(*s->v))};
	scope_init(&s->global, NULL, given, f->escape, a);
	know_platform(s);
	r = read_all(s, f, a, e);
	if (r < 0)
		return err_wrap(e, r, "%s:%d", name, s->line);
	s->line = 0;
	s->order = arena_array(a, s->n, sizeof(*s->order));
	path = arena_array(a, s->n, sizeof(*path));
	r = choose_target(s, target, e);
	if (r >= 0)
		r = visit(s, s->target, path, e);
	if (r < 0 && s->line)
		return err_wrap(e, r, "%s:%d", name, s->line);
	return r < 0 ? err_wrap(e, r, "%s", name) : 0;
}
