/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/registries_conf.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/reference.h"
#include "fmt/toml.h"

#include <errno.h>
#include <strings.h>

struct reading {
	struct registries_conf *c;
	struct registries_entry *now; /* [[registry]], or NULL */
	struct registries_place *place;
	const char *what;
	struct arena *a;
};

/* ---- reading ---- */

static int begin(struct reading *r, const char *table, struct err *e)
{
	r->place = NULL;
	if (streq(table, "registry")) {
		if (r->c->n == REGISTRIES_MAX)
			return err_set(e, ERR_LIMIT, "%.200s: more than %d registries", r->what,
				       REGISTRIES_MAX);
		r->now = arena_alloc(r->a, sizeof(*r->now));
		r->place = &r->now->self;
		r->c->v[r->c->n++] = r->now;
	} else if (streq(table, "registry.mirror")) {
		if (!r->now)
			return err_set(e, ERR_CORRUPT, "%.200s: a mirror of no registry", r->what);
		if (r->now->nmirrors == REGISTRIES_MIRRORS_MAX)
			return err_set(e, ERR_LIMIT, "%.200s: more than %d mirrors of one registry",
				       r->what, REGISTRIES_MIRRORS_MAX);
		r->place = &r->now->mirrors[r->now->nmirrors++];
	}
	return 0;
}

static int wants(const struct reading *r, const struct toml_item *i, const char *what,
		 struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%.200s: %.60s of a registry: expected %s", r->what, i->key,
		       what);
}

static int pull_from(const struct reading *r, const struct toml_item *i, int *out, struct err *e)
{
	static const char *const words[] = {"all", "digest-only", "tag-only"};

	for (int k = 0; i->type == TOML_STRING && k < 3; k++)
		if (streq(i->string, words[k])) {
			*out = k;
			return 0;
		}
	return wants(r, i, "all, digest-only or tag-only", e);
}

static int member(struct reading *r, const struct toml_item *i, struct err *e)
{
	bool outer = r->place == &r->now->self;
	const char *const text[] = {"location", "prefix"};
	const char **const strings[] = {&r->place->location, &r->now->prefix};
	const char *const flags[] = {"insecure", "blocked", "mirror-by-digest-only"};
	bool *const bools[] = {&r->place->insecure, &r->now->blocked, &r->now->by_digest};

	for (size_t k = 0; k < (outer ? 2 : 1); k++)
		if (streq(i->key, text[k])) {
			if (i->type != TOML_STRING || !*i->string)
				return wants(r, i, "a string", e);
			*strings[k] = i->string;
			return 0;
		}
	for (size_t k = 0; k < (outer ? 3 : 1); k++)
		if (streq(i->key, flags[k])) {
			if (i->type != TOML_BOOLEAN)
				return wants(r, i, "true or false", e);
			*bools[k] = i->boolean;
			return 0;
		}
	return !outer && streq(i->key, "pull-from-mirror") ? pull_from(r, i, &r->place->only, e)
							   : 0;
}

static int item(const struct toml_item *i, void *arg, struct err *e)
{
	struct reading *r = arg;

	if (i->type == TOML_TABLE)
		return begin(r, i->table, e);
	/* The lists of version 1. */
	if (str_after(i->table, "registries."))
		return err_set(e, ERR_UNSUPPORTED,
			       "%.200s is of version 1; see containers-registries.conf(5)",
			       r->what);
	if (streq(i->table, "registry"))
		r->place = &r->now->self; /* again, after an inline mirror */
	return r->place && str_after(i->table, "registry") ? member(r, i, e) : 0;
}

/* The later of two with the same prefix stays. */
static void replace(struct registries_conf *c, size_t before)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		bool again = false;

		for (size_t k = before > i ? before : i + 1; k < c->n && !again; k++)
			again = streq(c->v[i]->prefix, c->v[k]->prefix);
		if (!again)
			c->v[n++] = c->v[i];
	}
	c->n = n;
}

static int complete(const struct reading *r, size_t before, struct err *e)
{
	for (size_t i = before; i < r->c->n; i++) {
		struct registries_entry *x = r->c->v[i];

		if (!x->prefix)
			x->prefix = x->self.location;
		if (!x->prefix)
			return err_set(e, ERR_CORRUPT,
				       "%.200s: a registry without prefix and location", r->what);
		if (str_after(x->prefix, "*.") && strchr(x->prefix, '/'))
			return err_set(e, ERR_CORRUPT, "%.200s: prefix '%.100s' has a path",
				       r->what, x->prefix);
		for (size_t k = 0; k < x->nmirrors; k++)
			if (!x->mirrors[k].location)
				return err_set(e, ERR_CORRUPT, "%.200s: a mirror without location",
					       r->what);
	}
	return 0;
}

int registries_conf_add(struct registries_conf *c, const char *text, size_t len, const char *what,
			struct arena *a, struct err *e)
{
	struct reading r = {.c = c, .what = what, .a = a};
	size_t before = c->n;
	int rc = toml_read(text, len, what, a, item, &r, e);

	if (rc >= 0)
		rc = complete(&r, before, e);
	if (rc < 0) {
		c->n = before;
		return rc;
	}
	replace(c, before);
	return 0;
}

/* ---- finding ---- */

/* How much of name the prefix covers, 0: not this one. */
static size_t covers(const char *prefix, const char *name)
{
	const char *rest = str_after(name, prefix);
	size_t host = strcspn(name, "/"), n;

	if (!str_after(prefix, "*."))
		return rest && (!*rest || *rest == '/') ? strlen(prefix) : 0;
	n = strlen(prefix) - 1; /* ".example.com" */
	return host > n && strncasecmp(name + host - n, prefix + 1, n) == 0 ? host : 0;
}

static int place(const struct registries_place *p, const char *name, size_t covered,
		 struct arena *a, struct registries_target *out, struct err *e)
{
	const char *full =
	    p->location ? arena_printf(a, "%s%s", p->location, name + covered) : name;
	struct reference ref;
	const char *slash = strchr(full, '/');
	int r;

	r = slash ? reference_parse(arena_printf(a, "%s:x", full), a, &ref, e) : -EINVAL;
	/* Without a dot or a port it was read as a path of docker.io. */
	if (r < 0 || strncmp(ref.domain, full, (size_t)(slash - full)) != 0 ||
	    strlen(ref.domain) != (size_t)(slash - full))
		return err_set(e, ERR_USAGE,
			       "registries.conf: location '%.100s' is not HOST[:PORT][/PATH]",
			       p->location ? p->location : full);
	*out = (struct registries_target){
	    .host = ref.domain, .repository = ref.path, .insecure = p->insecure, .only = p->only};
	return 0;
}

int registries_conf_find(const struct registries_conf *c, const char *host, const char *repository,
			 struct arena *a, struct registries_targets *out, struct err *e)
{
	const char *name = arena_printf(a, "%s/%s", host, repository);
	const struct registries_entry *best = NULL;
	size_t most = 0;

	*out = (struct registries_targets){0};
	for (size_t i = 0; i < c->n; i++) {
		size_t n = covers(c->v[i]->prefix, name);

		/* Of two that cover as much, the one that is spelled out. */
		if (n > most || (n && n == most && *c->v[i]->prefix != '*')) {
			most = n;
			best = c->v[i];
		}
	}
	if (!best) {
		out->v[out->n++] =
		    (struct registries_target){.host = host, .repository = repository};
		return 0;
	}
	if (best->blocked)
		return err_set(e, ERR_DENIED, "registry '%.100s' is blocked by registries.conf",
			       best->prefix);
	for (size_t i = 0; i < best->nmirrors; i++) {
		struct registries_target *t = &out->v[out->n++];
		int r = place(&best->mirrors[i], name, most, a, t, e);

		if (r < 0)
			return r;
		if (best->by_digest && t->only == REGISTRIES_ANY)
			t->only = REGISTRIES_DIGEST;
	}
	return place(&best->self, name, most, a, &out->v[out->n++], e);
}
