/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_sbom.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "engine/image_review.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct sbom {
	const struct image_review *v;
	struct arena a;
	struct review_package *p; /* sorted, each once */
	size_t n;
	struct strs refs; /* licence texts that have no SPDX identifier: LicenseRef-<index + 1> */
	struct buf *out;
};

static int text_order(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int order(const void *x, const void *y)
{
	const struct review_package *a = x, *b = y;
	int c = text_order(a->type, b->type);

	c = c ? c : text_order(a->name, b->name);
	c = c ? c : text_order(a->version, b->version);
	c = c ? c : text_order(a->arch, b->arch);
	return c ? c : text_order(a->path, b->path);
}

static void open_sbom(struct sbom *s, const struct image_review *v, struct buf *out)
{
	*s = (struct sbom){.v = v, .out = out};
	s->p = arena_array(&s->a, v->found.packages.n, sizeof(*s->p));
	if (v->found.packages.n)
		memcpy(s->p, v->found.packages.v, v->found.packages.n * sizeof(*s->p));
	qsort(s->p, v->found.packages.n, sizeof(*s->p), order);
	for (size_t i = 0; i < v->found.packages.n; i++)
		if (!s->n || order(&s->p[s->n - 1], &s->p[i]) != 0)
			s->p[s->n++] = s->p[i];
}

/* To the second, as both formats want it. */
static const char *created(struct sbom *s)
{
	auto_buf struct buf b = BUF_INIT(64);
	const char *said = s->v->config->created;
	int64_t ns;

	if (!said || !timestamp_parse(said, &ns) || ns < 0)
		ns = 0;
	timestamp_print(ns / 1000000000 * 1000000000, &b);
	return arena_dup(&s->a, b.p);
}

/* ---- package URLs ---- */

static void percent(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr(".-_~", *s))
			buf_add(out, s, 1);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

/* Debian's and Alpine's names lie in the distribution's own namespace. */
static void purl_name(const struct sbom *s, const struct review_package *p, struct buf *out)
{
	const char *os = s->v->found.os_id, *slash = strchr(p->name, '/');

	if (streq(p->type, "deb") || streq(p->type, "apk") || streq(p->type, "rpm")) {
		percent(out, os			     ? os
			     : streq(p->type, "deb") ? "debian"
			     : streq(p->type, "apk") ? "alpine"
						     : "rpm");
		buf_puts(out, "/");
		percent(out, p->name);
	} else if (streq(p->type, "pypi")) {
		for (const char *c = p->name; *c; c++) {
			char low[2] = {*c == '_' ? '-' : (char)tolower((unsigned char)*c), '\0'};

			percent(out, low);
		}
	} else if (slash) { /* "@scope/name" */
		auto_arena struct arena a = ARENA_INIT;

		percent(out, arena_dupn(&a, p->name, (size_t)(slash - p->name)));
		buf_puts(out, "/");
		percent(out, slash + 1);
	} else {
		percent(out, p->name);
	}
}

static const char *purl(struct sbom *s, const struct review_package *p)
{
	auto_buf struct buf b = BUF_INIT(8192);
	const char *version = p->version, *epoch = "";

	buf_printf(&b, "pkg:%s/", p->type);
	purl_name(s, p, &b);
	/* An rpm's epoch is a qualifier; a Debian version keeps its own. */
	if (version && streq(p->type, "rpm") && strchr(version, ':')) {
		epoch = arena_dupn(&s->a, version, strcspn(version, ":"));
		version = strchr(version, ':') + 1;
	}
	if (version) {
		buf_puts(&b, "@");
		percent(&b, version);
	}
	if (p->arch) {
		buf_puts(&b, "?arch=");
		percent(&b, p->arch);
	}
	if (*epoch)
		buf_printf(&b, "%cepoch=%s", p->arch ? '&' : '?', epoch);
	return arena_dup(&s->a, b.p);
}

/* ---- licences ---- */

static bool known_word(const char *p, size_t len)
{
	/* Of the SPDX licence list 3.21 those that packages name most, and the operators. */
	static const char *const words[] = {"AND",
					    "OR",
					    "WITH",
					    "0BSD",
					    "AFL-2.1",
					    "AGPL-3.0-only",
					    "AGPL-3.0-or-later",
					    "Apache-2.0",
					    "Artistic-1.0-Perl",
					    "Artistic-2.0",
					    "BSD-1-Clause",
					    "BSD-2-Clause",
					    "BSD-3-Clause",
					    "BSD-4-Clause",
					    "BSL-1.0",
					    "bzip2-1.0.6",
					    "CC-BY-3.0",
					    "CC-BY-4.0",
					    "CC-BY-SA-4.0",
					    "CC0-1.0",
					    "curl",
					    "EPL-2.0",
					    "GFDL-1.3-or-later",
					    "GPL-1.0-or-later",
					    "GPL-2.0-only",
					    "GPL-2.0-or-later",
					    "GPL-3.0-only",
					    "GPL-3.0-or-later",
					    "HPND",
					    "ICU",
					    "ISC",
					    "LGPL-2.0-only",
					    "LGPL-2.0-or-later",
					    "LGPL-2.1-only",
					    "LGPL-2.1-or-later",
					    "LGPL-3.0-only",
					    "LGPL-3.0-or-later",
					    "libtiff",
					    "MIT",
					    "MIT-0",
					    "MPL-1.1",
					    "MPL-2.0",
					    "MPL-2.0-no-copyleft-exception",
					    "NCSA",
					    "OFL-1.1",
					    "OLDAP-2.8",
					    "OpenSSL",
					    "PHP-3.01",
					    "PostgreSQL",
					    "PSF-2.0",
					    "Python-2.0",
					    "Ruby",
					    "Sleepycat",
					    "TCL",
					    "Unicode-DFS-2016",
					    "Unlicense",
					    "Vim",
					    "W3C",
					    "WTFPL",
					    "X11",
					    "Zlib",
					    "ZPL-2.1",
					    "GCC-exception-3.1",
					    "Linux-syscall-note",
					    "Classpath-exception-2.0",
					    "LLVM-exception"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == len && memcmp(words[i], p, len) == 0)
			return true;
	return false;
}

/* A valid expression: identifiers and operators take turns, no parentheses. */
static bool spdx_expression(const char *s)
{
	bool want_name = true;

	for (;;) {
		size_t n = strcspn(s, " ");
		bool op = (n == 3 && memcmp(s, "AND", n) == 0) ||
			  (n == 2 && memcmp(s, "OR", n) == 0) ||
			  (n == 4 && memcmp(s, "WITH", n) == 0);

		if (!known_word(s, n) || op == want_name)
			return false;
		if (!s[n])
			return !op;
		s += n + 1;
		want_name = !want_name;
	}
}

static const char *license_ref(struct sbom *s, const char *text)
{
	size_t i = 0;

	while (i < s->refs.n && !streq(s->refs.v[i], text))
		i++;
	if (i == s->refs.n)
		arena_strs_add(&s->a, &s->refs, text);
	return arena_printf(&s->a, "LicenseRef-%zu", i + 1);
}

/* ---- SPDX ---- */

static void member(struct buf *out, const char *key, const char *value)
{
	buf_printf(out, ",\"%s\":", key);
	json_quote(out, value);
}

static void spdx_common(struct buf *out, const char *license)
{
	buf_puts(out, ",\"downloadLocation\":\"NOASSERTION\",\"filesAnalyzed\":false,"
		      "\"licenseConcluded\":\"NOASSERTION\",\"copyrightText\":\"NOASSERTION\"");
	member(out, "licenseDeclared", license ? license : "NOASSERTION");
}

static void spdx_package(struct sbom *s, size_t i)
{
	const struct review_package *p = &s->p[i];
	const char *license = p->license;

	if (license && !spdx_expression(license))
		license = license_ref(s, license);
	buf_printf(s->out, ",\n{\"SPDXID\":\"SPDXRef-Package-%zu\"", i + 1);
	member(s->out, "name", p->name);
	if (p->version)
		member(s->out, "versionInfo", p->version);
	if (p->path)
		member(s->out, "sourceInfo", arena_printf(&s->a, "told by /%s", p->path));
	spdx_common(s->out, license);
	buf_puts(s->out, ",\"externalRefs\":[{\"referenceCategory\":\"PACKAGE-MANAGER\","
			 "\"referenceType\":\"purl\"");
	member(s->out, "referenceLocator", purl(s, p));
	buf_puts(s->out, "}]}");
}

static void spdx_licenses(struct sbom *s)
{
	if (!s->refs.n)
		return;
	buf_puts(s->out, ",\"hasExtractedLicensingInfos\":[");
	for (size_t i = 0; i < s->refs.n; i++) {
		buf_printf(s->out, "%s\n{\"licenseId\":\"LicenseRef-%zu\"", i ? "," : "", i + 1);
		member(s->out, "extractedText", s->refs.v[i]);
		buf_puts(s->out, "}");
	}
	buf_puts(s->out, "]");
}

void image_sbom_spdx(const struct image_review *v, struct buf *out)
{
	const char *hex = digest_hex(v->manifest);
	struct sbom s;

	open_sbom(&s, v, out);
	buf_puts(out, "{\"spdxVersion\":\"SPDX-2.3\",\"dataLicense\":\"CC0-1.0\","
		      "\"SPDXID\":\"SPDXRef-DOCUMENT\"");
	member(out, "name", v->name);
	buf_printf(out, ",\"documentNamespace\":\"https://spdx.org/spdxdocs/caisson-%s\"", hex);
	buf_puts(out, ",\"creationInfo\":{\"creators\":[\"Tool: caisson-" CAISSON_VERSION "\"]");
	member(out, "created", created(&s));
	buf_puts(out, "},\"packages\":[\n{\"SPDXID\":\"SPDXRef-Image\"");
	member(out, "name", v->name);
	member(out, "versionInfo", v->manifest);
	buf_printf(out,
		   ",\"primaryPackagePurpose\":\"CONTAINER\",\"checksums\":[{\"algorithm\":"
		   "\"SHA256\",\"checksumValue\":\"%s\"}]",
		   hex);
	spdx_common(out, NULL);
	buf_puts(out, "}");
	for (size_t i = 0; i < s.n; i++)
		spdx_package(&s, i);
	buf_puts(out, "]");
	spdx_licenses(&s);
	buf_puts(out, ",\"relationships\":[\n{\"spdxElementId\":\"SPDXRef-DOCUMENT\","
		      "\"relationshipType\":\"DESCRIBES\",\"relatedSpdxElement\":"
		      "\"SPDXRef-Image\"}");
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out,
			   ",\n{\"spdxElementId\":\"SPDXRef-Image\",\"relationshipType\":"
			   "\"CONTAINS\",\"relatedSpdxElement\":\"SPDXRef-Package-%zu\"}",
			   i + 1);
	buf_puts(out, "]}\n");
	arena_free(&s.a);
}

/* ---- CycloneDX ---- */

/* A version 8 UUID (RFC 9562: custom) of the manifest's digest. */
static const char *serial(struct sbom *s)
{
	const char *h = digest_hex(s->v->manifest);

	return arena_printf(&s->a, "urn:uuid:%.8s-%.4s-8%.3s-8%.3s-%.12s", h, h + 8, h + 13, h + 17,
			    h + 20);
}

static void cyclonedx_package(struct sbom *s, size_t i)
{
	const struct review_package *p = &s->p[i];

	buf_printf(s->out, "%s\n{\"type\":\"library\",\"bom-ref\":\"package-%zu\"", i ? "," : "",
		   i + 1);
	member(s->out, "name", p->name);
	if (p->version)
		member(s->out, "version", p->version);
	member(s->out, "purl", purl(s, p));
	if (p->license && spdx_expression(p->license)) {
		buf_puts(s->out, ",\"licenses\":[{\"expression\":");
		json_quote(s->out, p->license);
		buf_puts(s->out, "}]");
	} else if (p->license) {
		buf_puts(s->out, ",\"licenses\":[{\"license\":{\"name\":");
		json_quote(s->out, p->license);
		buf_puts(s->out, "}}]");
	}
	if (p->path) {
		buf_puts(s->out, ",\"properties\":[{\"name\":\"caisson:path\",\"value\":");
		json_quote(s->out, p->path);
		buf_puts(s->out, "}]");
	}
	buf_puts(s->out, "}");
}

void image_sbom_cyclonedx(const struct image_review *v, struct buf *out)
{
	struct sbom s;

	open_sbom(&s, v, out);
	buf_puts(out, "{\"$schema\":\"http://cyclonedx.org/schema/bom-1.5.schema.json\","
		      "\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"version\":1");
	member(out, "serialNumber", serial(&s));
	buf_puts(out, ",\"metadata\":{\"tools\":{\"components\":[{\"type\":\"application\","
		      "\"name\":\"caisson\",\"version\":\"" CAISSON_VERSION "\"}]}");
	member(out, "timestamp", created(&s));
	buf_puts(out, ",\"component\":{\"type\":\"container\",\"bom-ref\":\"image\"");
	member(out, "name", v->name);
	member(out, "version", v->manifest);
	buf_printf(out, ",\"hashes\":[{\"alg\":\"SHA-256\",\"content\":\"%s\"}]}}",
		   digest_hex(v->manifest));
	buf_puts(out, ",\"components\":[");
	for (size_t i = 0; i < s.n; i++)
		cyclonedx_package(&s, i);
	buf_puts(out, "],\"dependencies\":[{\"ref\":\"image\",\"dependsOn\":[");
	for (size_t i = 0; i < s.n; i++)
		buf_printf(out, "%s\"package-%zu\"", i ? "," : "", i + 1);
	buf_puts(out, "]}]}\n");
	arena_free(&s.a);
}
