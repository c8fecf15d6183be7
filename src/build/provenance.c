/* SPDX-License-Identifier: Apache-2.0 */
#include "build/provenance.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/scope.h"
#include "engine/attest.h"
#include "engine/image_review.h"
#include "engine/image_sbom.h"
#include "fmt/digest.h"
#include "fmt/jbind.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "fmt/timestamp.h"

#include <string.h>

#define STATEMENT_MAX (64u << 20)
#define TYPE_SLSA     "https://slsa.dev/provenance/v1"
#define TYPE_SPDX     "https://spdx.dev/Document"
#define TYPE_CYCLONE  "https://cyclonedx.org/bom"

/* ---- words ---- */

static int provenance_value(const char *v, int *out)
{
	if (streq(v, "true") || streq(v, "min") || streq(v, "mode=min"))
		*out = PROVENANCE_MIN;
	else if (streq(v, "max") || streq(v, "mode=max"))
		*out = PROVENANCE_MAX;
	else if (streq(v, "false"))
		*out = PROVENANCE_NONE;
	else
		return -EINVAL;
	return 0;
}

static int sbom_value(const char *v, int *out)
{
	if (streq(v, "true") || streq(v, "spdx") || streq(v, "format=spdx"))
		*out = PROVENANCE_SPDX;
	else if (streq(v, "cyclonedx") || streq(v, "format=cyclonedx"))
		*out = PROVENANCE_CYCLONEDX;
	else if (streq(v, "false"))
		*out = PROVENANCE_NO_SBOM;
	else
		return -EINVAL;
	return 0;
}

static int attest_value(const char *v, struct provenance_wish *w)
{
	const char *rest = str_after(v, "type=provenance");

	if (rest && (!*rest || *rest == ','))
		return provenance_value(*rest ? rest + 1 : "true", &w->kind);
	rest = str_after(v, "type=sbom");
	if (rest && (!*rest || *rest == ','))
		return sbom_value(*rest ? rest + 1 : "true", &w->sbom);
	return -EINVAL;
}

int provenance_parse(const char *option, const char *value, struct provenance_wish *w,
		     struct err *e)
{
	int r = streq(option, "provenance") ? provenance_value(value, &w->kind)
		: streq(option, "sbom")	    ? sbom_value(value, &w->sbom)
					    : attest_value(value, w);

	if (r >= 0)
		return 0;
	return err_set(e, ERR_USAGE, "--%s '%.100s': want %s", option, value,
		       streq(option, "provenance") ? "true, false, mode=min or mode=max"
		       : streq(option, "sbom")	   ? "true, false, format=spdx or format=cyclonedx"
						   : "type=provenance[,mode=min|max] or "
						     "type=sbom[,format=spdx|cyclonedx]");
}

/* ---- statements ---- */

static void member(struct buf *out, const char *key, const char *value, bool *more)
{
	if (!value)
		return;
	buf_printf(out, "%s\"%s\":", *more ? "," : "", key);
	json_quote(out, value);
	*more = true;
}

static void begin(const struct provenance_build *b, const char *type, struct buf *out)
{
	const char *hex = digest_hex(b->manifest);

	buf_puts(out, "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[");
	for (size_t i = 0; i < b->names->n; i++) {
		buf_puts(out, i ? ",{\"name\":" : "{\"name\":");
		json_quote(out, b->names->v[i]);
		buf_printf(out, ",\"digest\":{\"sha256\":\"%s\"}}", hex);
	}
	if (!b->names->n)
		buf_printf(out, "{\"digest\":{\"sha256\":\"%s\"}}", hex);
	buf_printf(out, "],\"predicateType\":\"%s\",\"predicate\":", type);
}

static void dependencies(struct buf *out, const struct jbind_map *m, const char *scheme,
			 bool commits, bool *more)
{
	for (size_t i = 0; i < m->n; i++) {
		auto_arena struct arena a = ARENA_INIT;
		const char *value = m->v[i].value;

		buf_puts(out, *more ? ",{\"uri\":" : "{\"uri\":");
		json_quote(out, arena_printf(&a, "%s%s", scheme, m->v[i].key));
		buf_printf(out, ",\"digest\":{\"%s\":\"%s\"}}", commits ? "gitCommit" : "sha256",
			   commits ? value : digest_hex(value));
		*more = true;
	}
}

/* Not what is known of the platform. */
static bool asked_for(const struct provenance_build *b, const char *name)
{
	for (size_t i = 0; i < b->asked->n; i++) {
		const char *rest = str_after(b->asked->v[i], name);

		if (rest && (!*rest || *rest == '='))
			return true;
	}
	return false;
}

/* What whoever asked for the build has said; values of build arguments only where all is wanted. */
static void parameters(const struct provenance_build *b, bool all, struct buf *out)
{
	bool more = false;
	size_t n = 0;

	buf_puts(out, "\"externalParameters\":{");
	member(out, "context", b->context, &more);
	member(out, "file", b->file, &more);
	member(out, "target", b->target, &more);
	if (all) {
		buf_printf(out, "%s\"buildArgs\":{", more ? "," : "");
		for (size_t i = 0; i < b->args->n; i++) {
			if (!asked_for(b, b->args->v[i].name))
				continue;
			buf_puts(out, n++ ? "," : "");
			json_quote(out, b->args->v[i].name);
			buf_puts(out, ":");
			json_quote(out, b->args->v[i].value);
		}
		buf_puts(out, "},\"dockerfile\":");
		json_quote(out, b->dockerfile);
	}
	buf_puts(out, "}");
}

static void slsa(const struct provenance_build *b, bool all, struct buf *out)
{
	struct oci_platform host;
	bool more = false;

	oci_image_host(&host);
	begin(b, TYPE_SLSA, out);
	buf_puts(out, "{\"buildDefinition\":{\"buildType\":\"urn:caisson:build:dockerfile:1\",");
	parameters(b, all, out);
	buf_puts(out, ",\"internalParameters\":{\"platform\":");
	json_quote(out, oci_image_platform_print(&host, b->a));
	buf_puts(out, "},\"resolvedDependencies\":[");
	dependencies(out, b->images, "docker://", false, &more);
	dependencies(out, b->urls, "", false, &more);
	dependencies(out, b->git, "git+", true, &more);
	buf_puts(out, "]},\"runDetails\":{\"builder\":{\"id\":\"urn:caisson:builder\",\"version\":"
		      "{\"caisson\":\"" CAISSON_VERSION "\"}},\"metadata\":{\"startedOn\":\"");
	timestamp_print(b->began_ns, out);
	buf_puts(out, "\",\"finishedOn\":\"");
	timestamp_print(b->ended_ns, out);
	buf_puts(out, "\"}}}}");
}

static int bill(const struct provenance_build *b, int kind, struct buf *out, struct err *e)
{
	auto_review struct image_review v = {0};
	int r = image_review_run(b->s, b->id, false, b->a, &v, e);

	if (r < 0)
		return err_wrap(e, r, "--sbom");
	begin(b, kind == PROVENANCE_SPDX ? TYPE_SPDX : TYPE_CYCLONE, out);
	if (kind == PROVENANCE_SPDX)
		image_sbom_spdx(&v, out);
	else
		image_sbom_cyclonedx(&v, out);
	buf_puts(out, "}");
	return 0;
}

int provenance_make(const struct provenance_build *b, const struct provenance_wish *w,
		    struct err *e)
{
	auto_buf struct buf origin = BUF_INIT(STATEMENT_MAX), sbom = BUF_INIT(STATEMENT_MAX);
	struct attest_doc docs[2];
	size_t n = 0;
	int r = 0;

	if (w->kind) {
		slsa(b, w->kind == PROVENANCE_MAX, &origin);
		r = buf_fail(&origin, "provenance", e);
		docs[n++] = (struct attest_doc){origin.p, TYPE_SLSA, origin.len};
	}
	if (r >= 0 && w->sbom) {
		r = bill(b, w->sbom, &sbom, e);
		if (r >= 0)
			r = buf_fail(&sbom, "bill of materials", e);
		docs[n++] = (struct attest_doc){
		    sbom.p, w->sbom == PROVENANCE_SPDX ? TYPE_SPDX : TYPE_CYCLONE, sbom.len};
	}
	if (r < 0 || !n)
		return r;
	return attest_put(b->store, b->lease, b->manifest, docs, n, e);
}
