/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/review_policy.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/image_review.h"
#include "fmt/jbind.h"
#include "fmt/version_order.h"

#include <fnmatch.h>
#include <inttypes.h>

struct rule {
	const char *type, *name, *below, *reason;
};

struct policy {
	struct strs forbid, allow_paths;
	struct jbind_optint max_bytes, max_wasted, max_layers;
	struct {
		struct rule *v;
		size_t n;
	} packages;
	struct strs forbid_licenses, allow_licenses;
};

static const struct jbind_field rule_fields[] = {
    JB(struct rule, type, "type", JBIND_STR),
    JB(struct rule, name, "name", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct rule, below, "below", JBIND_STR),
    JB(struct rule, reason, "reason", JBIND_STR),
    JB_END,
};
static const struct jbind rule_table = {sizeof(struct rule), rule_fields, true};

static const struct jbind_field fields[] = {
    JB(struct policy, forbid, "forbid", JBIND_STRS),
    JB(struct policy, allow_paths, "allowPaths", JBIND_STRS),
    JB(struct policy, max_bytes, "maxBytes", JBIND_OPTINT),
    JB(struct policy, max_wasted, "maxWasted", JBIND_OPTINT),
    JB(struct policy, max_layers, "maxLayers", JBIND_OPTINT),
    JB(struct policy, packages, "packages", JBIND_LIST, .sub = &rule_table),
    JB(struct policy, forbid_licenses, "forbidLicenses", JBIND_STRS),
    JB(struct policy, allow_licenses, "allowLicenses", JBIND_STRS),
    JB_END,
};
static const struct jbind table = {sizeof(struct policy), fields, true};

/* What "forbid" may hold beside the kinds of findings. */
static const char word_root[] = "root";
static const char word_unread[] = "unread-packages";

struct check {
	const struct policy *p;
	const struct image_review *v;
	struct arena *a;
	struct strs *broken;
};

static bool listed(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i], s))
			return true;
	return false;
}

static bool matches(const struct strs *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (fnmatch(l->v[i], s, 0) == 0)
			return true;
	return false;
}

static int check_words(const struct policy *p, struct err *e)
{
	for (size_t i = 0; i < p->forbid.n; i++) {
		const char *w = p->forbid.v[i];
		bool known = streq(w, word_root) || streq(w, word_unread);

		for (size_t k = 0; review_kinds[k]; k++)
			known |= streq(w, review_kinds[k]);
		if (!known)
			return err_set(e, ERR_USAGE, "policy: forbid: '%s' is not known", w);
	}
	return 0;
}

static void findings(struct check *c)
{
	for (size_t i = 0; i < c->v->found.findings.n; i++) {
		const struct review_finding *f = &c->v->found.findings.v[i];

		if (!listed(&c->p->forbid, review_kinds[f->kind]) ||
		    matches(&c->p->allow_paths, f->path))
			continue;
		arena_strs_add(c->a, c->broken,
			       arena_printf(c->a, "%s: %s%s%s%s", review_kinds[f->kind], f->path,
					    f->detail ? " (" : "", f->detail ? f->detail : "",
					    f->detail ? ")" : ""));
	}
	/* What was not looked at cannot be said to be clean. */
	if (c->v->found.cut)
		arena_strs_add(c->a, c->broken, "findings: there are more than are listed");
	if (listed(&c->p->forbid, word_root) && image_review_root(c->v) != 0)
		arena_strs_add(c->a, c->broken,
			       image_review_root(c->v) == 1
				   ? "root: the image runs as root"
				   : "root: the account the image runs as is not in it");
	for (size_t i = 0; listed(&c->p->forbid, word_unread) && i < c->v->found.not_read.n; i++)
		arena_strs_add(
		    c->a, c->broken,
		    arena_printf(c->a, "unread-packages: %s", c->v->found.not_read.v[i]));
}

static void at_most(struct check *c, const char *what, uint64_t have, struct jbind_optint max)
{
	if (max.set && (max.v < 0 || have > (uint64_t)max.v))
		arena_strs_add(
		    c->a, c->broken,
		    arena_printf(c->a, "%s: %" PRIu64 ", allowed are %" PRId64, what, have, max.v));
}

static bool hit(const struct rule *r, const struct review_package *p)
{
	if (r->type && !streq(r->type, p->type))
		return false;
	if (fnmatch(r->name, p->name, 0) != 0)
		return false;
	/* A package that does not say its version may be any. */
	return !r->below || !p->version || version_order(p->version, r->below) < 0;
}

static void packages(struct check *c)
{
	for (size_t i = 0; i < c->v->found.packages.n; i++) {
		const struct review_package *p = &c->v->found.packages.v[i];
		const char *who = arena_printf(c->a, "%s %s%s%s", p->type, p->name,
					       p->version ? " " : "", p->version ? p->version : "");

		for (size_t k = 0; k < c->p->packages.n; k++) {
			const struct rule *r = &c->p->packages.v[k];

			if (hit(r, p))
				arena_strs_add(c->a, c->broken,
					       arena_printf(c->a, "package: %s%s%s%s%s", who,
							    r->below ? " is below " : "",
							    r->below ? r->below : "",
							    r->reason ? ": " : "",
							    r->reason ? r->reason : ""));
		}
		if (p->license && matches(&c->p->forbid_licenses, p->license))
			arena_strs_add(c->a, c->broken,
				       arena_printf(c->a, "license: %s has %s", who, p->license));
		else if (p->license && c->p->allow_licenses.n &&
			 !matches(&c->p->allow_licenses, p->license))
			arena_strs_add(c->a, c->broken,
				       arena_printf(c->a,
						    "license: %s has %s, which is not allowed", who,
						    p->license));
	}
}

int review_policy_check(const char *text, size_t len, const struct image_review *v, struct arena *a,
			struct strs *broken, struct err *e)
{
	struct policy p = {0};
	struct check c = {&p, v, a, broken};
	int r = jbind_parse(&table, text, len, &p, a, "policy", e);

	if (r >= 0)
		r = check_words(&p, e);
	if (r < 0)
		return r;
	findings(&c);
	at_most(&c, "maxBytes", v->bytes, p.max_bytes);
	at_most(&c, "maxWasted", v->wasted, p.max_wasted);
	at_most(&c, "maxLayers", v->found.layers.n, p.max_layers);
	packages(&c);
	return 0;
}
