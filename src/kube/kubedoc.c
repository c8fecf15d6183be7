/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubedoc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/utf8.h"
#include "fmt/yaml.h"
#include "kube/kubecheck.h"

#include <stdarg.h>
#include <stdio.h>

#define OBJECTS_MAX 1000

void kubedoc_warn(struct kubedoc *d, struct arena *a, const char *fmt, ...)
{
	auto_buf struct buf visible = BUF_INIT(4096);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	utf8_visible(&visible, text);
	arena_strs_add(a, &d->warnings, arena_dupn(a, visible.p, visible.len));
}

static bool label_of(const char *s, size_t n)
{
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
			return false;
	return true;
}

bool kubedoc_is_label(const char *s)
{
	return label_of(s, strlen(s));
}

bool kubedoc_is_name(const char *s)
{
	if (strlen(s) > 253)
		return false;
	for (;; s++) {
		size_t n = strcspn(s, ".");

		if (!label_of(s, n))
			return false;
		s += n;
		if (!*s)
			return true;
	}
}

bool kubedoc_is_inside(const char *p)
{
	if (!p || !*p || *p == '/' || strlen(p) > 1000)
		return false;
	for (; *p; p += strspn(p, "/")) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n;
	}
	return true;
}

const struct kubespec_object *kubedoc_find(const struct kubedoc *d, const char *kind,
					   const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (streq(d->v[i].kind, kind) && streq(d->v[i].meta.name, name))
			return &d->v[i];
	return NULL;
}

/* ---- one object ---- */

struct reading {
	struct kubedoc *d;
	struct arena *a;
	const char *what;
	const char *kind, *name;
};

static void unknown(const char *path, void *arg)
{
	static const char *const quiet[] = {"status", "metadata.creationTimestamp",
					    "metadata.resourceVersion", "metadata.generation",
					    "metadata.managedFields"};
	struct reading *x = arg;

	/* What a server adds to an object that it hands out. */
	for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
		if (streq(path, quiet[i]))
			return;
	kubedoc_warn(x->d, x->a, "%s %s: %s is left out", x->kind, x->name, path);
}

/* NULL: a kind without a table. */
static const struct jbind *table_of(const struct kubespec_object *o)
{
	static const struct {
		const char *api, *kind;
		const struct jbind *table;
	} kinds[] = {
	    {"v1", "Pod", &kubespec_pod_table},
	    {"apps/v1", "Deployment", &kubespec_deployment_table},
	    {"v1", "ConfigMap", &kubespec_data_table},
	    {"v1", "Secret", &kubespec_data_table},
	    {"v1", "PersistentVolumeClaim", &kubespec_claim_table},
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (streq(o->kind, kinds[i].kind) && streq(o->api, kinds[i].api))
			return kinds[i].table;
	return NULL;
}

/* Objects that run something must not be passed over. */
static int other_kind(struct reading *x, const struct kubespec_object *o, struct err *e)
{
	static const char *const run[] = {"Pod",	 "Deployment", "DaemonSet",
					  "StatefulSet", "ReplicaSet", "ReplicationController",
					  "Job",	 "CronJob"};

	for (size_t i = 0; i < sizeof(run) / sizeof(run[0]); i++)
		if (streq(o->kind, run[i]))
			return err_set(e, ERR_UNSUPPORTED,
				       "%s: %.60s '%.60s' (%.60s) is not possible: Pod (v1) and "
				       "Deployment (apps/v1) are",
				       x->what, o->kind, x->name, o->api);
	kubedoc_warn(x->d, x->a, "%s %s is left out: there is no cluster", o->kind, x->name);
	return 0;
}

static int head(const struct json *j, struct reading *x, struct kubespec_object *o, struct err *e)
{
	int r = jbind_read(&kubespec_head_table, j, o, x->a, x->what, e);

	if (r < 0)
		return r;
	if (!o->api || !o->kind)
		return err_set(e, ERR_CORRUPT, "%s: an object without apiVersion and kind",
			       x->what);
	x->kind = o->kind;
	x->name = o->meta.name ? o->meta.name : "";
	return 0;
}

static int append(struct reading *x, const struct kubespec_object *o, struct err *e)
{
	struct kubedoc *d = x->d;

	if (d->n == OBJECTS_MAX)
		return err_set(e, ERR_LIMIT, "%s: more than %d objects", x->what, OBJECTS_MAX);
	if (!o->meta.name || !kubedoc_is_name(o->meta.name))
		return err_set(e, ERR_USAGE,
			       "%s: %s: metadata.name is lower case letters, digits, '-' and '.', "
			       "not '%.60s'",
			       x->what, o->kind, o->meta.name ? o->meta.name : "");
	if (kubedoc_find(d, o->kind, o->meta.name))
		return err_set(e, ERR_USAGE, "%s: %s '%s' is there twice", x->what, o->kind,
			       o->meta.name);
	d->v = arena_room(x->a, d->v, d->n, sizeof(*d->v));
	d->v[d->n++] = *o;
	return 0;
}

static int object(const struct json *j, struct reading *x, struct err *e)
{
	struct kubespec_object o = {0};
	const struct jbind *t;
	char what[256];
	int r = head(j, x, &o, e);

	if (r < 0)
		return r;
	t = table_of(&o);
	if (!t)
		return other_kind(x, &o, e);
	snprintf(what, sizeof(what), "%.80s: %s %.80s", x->what, x->kind, x->name);
	r = jbind_read(t, j, &o, x->a, what, e);
	if (r == 0)
		r = kubecheck_object(x->d, &o, x->a, e);
	if (r < 0)
		return r;
	jbind_unknown(t, j, unknown, x);
	return append(x, &o, e);
}

static int document(const char *text, struct reading *x, struct err *e)
{
	auto_json struct json *j = NULL;
	const char *kind;
	struct json *items;
	int r = json_parse(text, strlen(text), x->what, &j, e);

	if (r < 0)
		return r;
	kind = json_string(json_member(j, "kind"));
	items = json_member(j, "items");
	if (!kind || !streq(kind, "List") || !json_is_array(items))
		return object(j, x, e);
	for (size_t i = 0; r == 0 && i < json_length(items); i++)
		r = object(json_at(items, i), x, e);
	return r;
}

int kubedoc_read(const char *text, size_t len, const char *what, struct arena *a,
		 struct kubedoc *out, struct err *e)
{
	struct reading x = {.d = out, .a = a, .what = what};
	struct strs docs = {0};
	int r = yaml_to_json(text, len, what, a, &docs, e);

	for (size_t i = 0; r == 0 && i < docs.n; i++)
		r = document(docs.v[i], &x, e);
	return r;
}
