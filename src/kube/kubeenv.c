/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubeenv.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/base64.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TEXT_MAX (1u << 20)

/* The value behind name, or NULL. */
static const char *value_of(const struct strs *env, const char *name, size_t n)
{
	for (size_t i = env->n; i-- > 0;)
		if (strncmp(env->v[i], name, n) == 0 && env->v[i][n] == '=')
			return env->v[i] + n + 1;
	return NULL;
}

const char *kubeenv_expand(const struct kubemap *m, const char *text, const struct strs *env)
{
	auto_buf struct buf b = BUF_INIT(TEXT_MAX);

	for (const char *p = text; *p; p++) {
		size_t n = p[0] == '$' && p[1] == '(' ? strcspn(p + 2, ")") : 0;
		const char *v = n && p[2 + n] ? value_of(env, p + 2, n) : NULL;

		if (p[0] == '$' && p[1] == '$') {
			buf_puts(&b, "$");
			p++;
		} else if (v) {
			buf_puts(&b, v);
			p += n + 2;
		} else {
			buf_add(&b, p, 1);
		}
	}
	return b.failed ? text : arena_dupn(m->a, b.p, b.len);
}

static void set(const struct kubemap *m, struct strs *out, const char *name, const char *value)
{
	const char *pair = arena_printf(m->a, "%s=%s", name, value);
	size_t n = strlen(name) + 1;

	for (size_t i = 0; i < out->n; i++)
		if (strncmp(out->v[i], pair, n) == 0) {
			out->v[i] = pair;
			return;
		}
	arena_strs_add(m->a, out, pair);
}

/* ---- ConfigMaps and Secrets ---- */

const char *kubeenv_decode(const char *base64, struct arena *a, size_t *len)
{
	size_t n = 0;
	char *packed = arena_alloc(a, strlen(base64) + 1);

	/* As `base64` prints it, with line ends. */
	for (const char *p = base64; *p; p++)
		if (*p != '\n' && *p != '\r')
			packed[n++] = *p;
	return base64_bytes(packed, a, len);
}

static int plain(const struct kubespec_object *o, const char *key, const char *base64,
		 struct arena *a, const char **out, struct err *e)
{
	size_t len = 0;
	const char *v = kubeenv_decode(base64, a, &len);

	if (!v)
		return err_set(e, ERR_CORRUPT, "%s %s: data.%.60s is not base64", o->kind,
			       o->meta.name, key);
	if (strlen(v) != len)
		return err_set(e, ERR_USAGE, "%s %s: data.%.60s holds a NUL byte: no variable",
			       o->kind, o->meta.name, key);
	*out = v;
	return 0;
}

/* 1: found, 0: not. */
static int lookup(const struct kubemap *m, const struct kubespec_object *o, const char *key,
		  const char **out, struct err *e)
{
	const char *v = jbind_lookup(&o->string_data, key);
	int r;

	if (v) {
		*out = v;
		return 1;
	}
	v = jbind_lookup(&o->data, key);
	if (!v)
		return 0;
	*out = v;
	r = streq(o->kind, "Secret") ? plain(o, key, v, m->a, out, e) : 0;
	return r < 0 ? r : 1;
}

static int missing(const struct kubemap *m, const char *kind, const struct kubespec_key_ref *k,
		   struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "pod %s: no %s '%.60s'%s%.60s in what was given", m->name,
		       kind, k->name ? k->name : "", k->key ? " with a key " : "",
		       k->key ? k->key : "");
}

static int from_key(const struct kubemap *m, const char *kind, const struct kubespec_key_ref *k,
		    const char **out, struct err *e)
{
	const struct kubespec_object *o = kubedoc_find(m->doc, kind, k->name);
	int r = o ? lookup(m, o, k->key, out, e) : 0;

	return r || k->optional ? r : missing(m, kind, k, e);
}

static int add_all(const struct kubemap *m, const struct kubespec_object *o, const char *prefix,
		   struct strs *out, struct err *e)
{
	const struct jbind_map *maps[] = {&o->data, &o->string_data};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < maps[k]->n; i++) {
			const char *key = maps[k]->v[i].key, *v = NULL;
			int r = lookup(m, o, key, &v, e);

			if (r < 0)
				return r;
			set(m, out, arena_printf(m->a, "%s%s", prefix, key), v);
		}
	return 0;
}

static int from_all(const struct kubemap *m, const struct kubespec_env_from *f, struct strs *out,
		    struct err *e)
{
	const struct kubespec_key_ref *k = f->config_map ? f->config_map : f->secret;
	const char *kind = f->config_map ? "ConfigMap" : "Secret";
	const struct kubespec_object *o = kubedoc_find(m->doc, kind, k->name ? k->name : "");

	if (!o)
		return k->optional ? 0 : missing(m, kind, k, e);
	return add_all(m, o, f->prefix ? f->prefix : "", out, e);
}

/* ---- fields of the pod ---- */

/* "metadata.labels['app']": the part in quotes, or NULL. */
static const char *subscript(const struct kubemap *m, const char *path, const char *of)
{
	const char *rest = str_after(path, of), *key = rest ? str_after(rest, "['") : NULL;
	size_t n = key ? strlen(key) : 0;

	return n > 2 && streq(key + n - 2, "']") ? arena_dupn(m->a, key, n - 2) : NULL;
}

static int from_field(const struct kubemap *m, const char *path, const char **out, struct err *e)
{
	const char *label = subscript(m, path, "metadata.labels"),
		   *note = subscript(m, path, "metadata.annotations");
	char host[256] = "";

	if (label || note) {
		*out = jbind_lookup(label ? &m->meta->labels : &m->meta->annotations,
				    label ? label : note)
			   ?: "";
	} else if (streq(path, "metadata.name")) {
		*out = m->name;
	} else if (streq(path, "metadata.namespace")) {
		*out = m->meta->ns ? m->meta->ns : "default";
	} else if (streq(path, "spec.nodeName")) {
		gethostname(host, sizeof(host) - 1);
		*out = arena_dup(m->a, host);
	} else {
		return err_set(e, ERR_UNSUPPORTED,
			       "pod %s: fieldRef '%.80s' is not possible: metadata.name, "
			       "metadata.namespace, spec.nodeName, labels and annotations are",
			       m->name, path);
	}
	return 1;
}

static int one(const struct kubemap *m, const struct kubespec_env *v, struct strs *out,
	       struct err *e)
{
	const struct kubespec_value_from *f = v->from;
	const char *value = "";
	int r = 1;

	if (f)
		r = f->config_map ? from_key(m, "ConfigMap", f->config_map, &value, e)
		    : f->secret	  ? from_key(m, "Secret", f->secret, &value, e)
				  : from_field(m, f->field->path, &value, e);
	else
		value = kubeenv_expand(m, v->value ? v->value : "", out);
	if (r > 0)
		set(m, out, v->name, value);
	return r < 0 ? r : 0;
}

int kubeenv_list(const struct kubemap *m, const struct kubespec_container *c, struct strs *out,
		 struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < c->env_from.n; i++)
		r = from_all(m, &c->env_from.v[i], out, e);
	for (size_t i = 0; r == 0 && i < c->env.n; i++)
		r = one(m, &c->env.v[i], out, e);
	return r;
}
