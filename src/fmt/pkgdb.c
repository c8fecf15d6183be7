/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/pkgdb.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define VALUE_MAX 512

struct view {
	const char *p;
	size_t len;
};

/* A copy that is safe to show; NULL for nothing. */
static const char *keep(struct arena *a, struct view v)
{
	char *s;

	while (v.len && (*v.p == ' ' || *v.p == '\t')) {
		v.p++;
		v.len--;
	}
	while (v.len && strchr(" \t\r", v.p[v.len - 1]))
		v.len--;
	if (!v.len)
		return NULL;
	s = arena_dupn(a, v.p, v.len < VALUE_MAX ? v.len : VALUE_MAX);
	for (size_t i = 0; s[i]; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
	return *s ? s : NULL;
}

/* The next line without its end; false when there is none. */
static bool next_line(struct view *text, struct view *line)
{
	const char *end;

	if (!text->len)
		return false;
	end = memchr(text->p, '\n', text->len);
	line->p = text->p;
	line->len = end ? (size_t)(end - text->p) : text->len;
	text->p += line->len + (end != NULL);
	text->len -= line->len + (end != NULL);
	return true;
}

/* "Key: value" with this key, in any case; the value. */
static bool field(struct view line, const char *key, struct view *value)
{
	size_t n = strlen(key);

	if (line.len <= n || strncasecmp(line.p, key, n) != 0 || line.p[n] != ':')
		return false;
	*value = (struct view){line.p + n + 1, line.len - n - 1};
	return true;
}

struct paragraph {
	const struct pkgdb_sink *to;
	struct pkgdb_package p;
	bool dropped;
	size_t n;
};

static int flush(struct paragraph *g, struct err *e)
{
	int r = 0;

	if (g->p.name && !g->dropped) {
		if (++g->n > PKGDB_MAX)
			return err_set(e, ERR_LIMIT, "more than %d packages in one file",
				       PKGDB_MAX);
		r = g->to->fn(g->to->arg, &g->p, e);
	}
	g->p = (struct pkgdb_package){0};
	g->dropped = false;
	return r;
}

static void put(struct paragraph *g, const char **slot, struct view v)
{
	if (!*slot)
		*slot = keep(g->to->arena, v);
}

/* "install ok installed": the third word says whether its files are there. */
static bool installed(struct view v)
{
	static const char word[] = "installed";
	size_t n = sizeof(word) - 1;

	while (v.len && strchr(" \t\r", v.p[v.len - 1]))
		v.len--;
	return v.len > n && memcmp(v.p + v.len - n, word, n) == 0 && v.p[v.len - n - 1] == ' ';
}

static void dpkg_line(struct paragraph *g, struct view line)
{
	struct view v;

	if (field(line, "Package", &v))
		put(g, &g->p.name, v);
	else if (field(line, "Version", &v))
		put(g, &g->p.version, v);
	else if (field(line, "Architecture", &v))
		put(g, &g->p.arch, v);
	else if (field(line, "Source", &v))
		put(g, &g->p.source, v);
	else if (field(line, "Status", &v))
		g->dropped |= !installed(v);
}

static void apk_line(struct paragraph *g, struct view line)
{
	struct view v = {line.p + 2, line.len - 2};

	if (line.len < 3 || line.p[1] != ':')
		return;
	if (line.p[0] == 'P')
		put(g, &g->p.name, v);
	else if (line.p[0] == 'V')
		put(g, &g->p.version, v);
	else if (line.p[0] == 'A')
		put(g, &g->p.arch, v);
	else if (line.p[0] == 'L')
		put(g, &g->p.license, v);
	else if (line.p[0] == 'o')
		put(g, &g->p.source, v);
}

static int paragraphs(struct view text, void (*each)(struct paragraph *, struct view),
		      const struct pkgdb_sink *to, struct err *e)
{
	struct paragraph g = {.to = to};
	struct view line;
	int r = 0;

	while (r >= 0 && next_line(&text, &line)) {
		if (line.len == 0 || (line.len == 1 && *line.p == '\r'))
			r = flush(&g, e);
		else
			each(&g, line);
	}
	return r < 0 ? r : flush(&g, e);
}

int pkgdb_dpkg(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	return paragraphs((struct view){text, len}, dpkg_line, to, e);
}

int pkgdb_apk(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	return paragraphs((struct view){text, len}, apk_line, to, e);
}

int pkgdb_python(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	static const char osi[] = " License :: ";
	struct view all = {text, len}, line, v, class = {0};
	struct paragraph g = {.to = to};

	/* The headers end at the first empty line; the description follows. */
	while (next_line(&all, &line) && line.len && *line.p != '\r') {
		if (field(line, "Name", &v))
			put(&g, &g.p.name, v);
		else if (field(line, "Version", &v))
			put(&g, &g.p.version, v);
		else if (field(line, "License-Expression", &v))
			g.p.license = keep(to->arena, v);
		else if (field(line, "License", &v))
			put(&g, &g.p.license, v);
		else if (field(line, "Classifier", &v) && v.len > sizeof(osi) &&
			 memcmp(v.p, osi, sizeof(osi) - 1) == 0)
			class = v;
	}
	if (!g.p.license && class.len) {
		const char *colon = memrchr(class.p, ':', class.len);

		put(&g, &g.p.license,
		    (struct view){colon + 1, class.len - (size_t)(colon + 1 - class.p)});
	}
	return flush(&g, e);
}

static const char *node_license(const struct json *j)
{
	const struct json *l = json_member(j, "license");

	if (!l)
		l = json_at(json_member(j, "licenses"), 0);
	return json_is_object(l) ? json_string(json_member(l, "type")) : json_string(l);
}

static const char *shown(struct arena *a, const char *s)
{
	return s ? keep(a, (struct view){s, strlen(s)}) : NULL;
}

int pkgdb_node(const char *text, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	auto_json struct json *j = NULL;
	struct paragraph g = {.to = to};
	int r = json_parse(text, len, "package.json", &j, e);

	if (r < 0 || !json_is_object(j))
		return r;
	g.p = (struct pkgdb_package){
	    .name = shown(to->arena, json_string(json_member(j, "name"))),
	    .version = shown(to->arena, json_string(json_member(j, "version"))),
	    .license = shown(to->arena, node_license(j)),
	};
	return flush(&g, e);
}

/* ---- rpm ---- */

enum {
	RPM_NAME = 1000,
	RPM_VERSION,
	RPM_RELEASE,
	RPM_EPOCH,
	RPM_LICENSE = 1014,
	RPM_ARCH = 1022,
	RPM_SOURCE = 1044
};
enum { RPM_INT32 = 4, RPM_STRING = 6, RPM_STRINGS = 8, RPM_I18N = 9 };

struct rpm {
	const uint8_t *index, *data;
	uint32_t n, len;
};

static uint32_t be32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static const uint8_t *rpm_find(const struct rpm *h, uint32_t tag, uint32_t *type, uint32_t *off)
{
	for (uint32_t i = 0; i < h->n; i++) {
		const uint8_t *x = h->index + (size_t)i * 16;

		if (be32(x) != tag)
			continue;
		*type = be32(x + 4);
		*off = be32(x + 8);
		return *off < h->len ? h->data + *off : NULL;
	}
	return NULL;
}

static const char *rpm_text(const struct rpm *h, uint32_t tag, struct arena *a)
{
	uint32_t type, off;
	const uint8_t *p = rpm_find(h, tag, &type, &off);

	if (!p || (type != RPM_STRING && type != RPM_STRINGS && type != RPM_I18N))
		return NULL;
	return keep(a, (struct view){(const char *)p, strnlen((const char *)p, h->len - off)});
}

int pkgdb_rpm(const void *header, size_t len, const struct pkgdb_sink *to, struct err *e)
{
	const uint8_t *p = header;
	struct paragraph g = {.to = to};
	const char *version, *release;
	struct rpm h;
	uint32_t type, off;

	if (len < 8)
		return err_set(e, ERR_CORRUPT, "rpm header of %zu bytes", len);
	h = (struct rpm){.index = p + 8, .n = be32(p), .len = be32(p + 4)};
	if (h.n > (len - 8) / 16 || h.len > len - 8 - (size_t)h.n * 16)
		return err_set(e, ERR_CORRUPT, "rpm header is longer than its record");
	h.data = h.index + (size_t)h.n * 16;
	g.p.name = rpm_text(&h, RPM_NAME, to->arena);
	g.p.arch = rpm_text(&h, RPM_ARCH, to->arena);
	g.p.license = rpm_text(&h, RPM_LICENSE, to->arena);
	g.p.source = rpm_text(&h, RPM_SOURCE, to->arena);
	version = rpm_text(&h, RPM_VERSION, to->arena);
	release = rpm_text(&h, RPM_RELEASE, to->arena);
	if (version)
		g.p.version = arena_printf(to->arena, "%s%s%s", version, release ? "-" : "",
					   release ? release : "");
	p = rpm_find(&h, RPM_EPOCH, &type, &off);
	if (p && type == RPM_INT32 && h.len - off >= 4 && g.p.version)
		g.p.version = arena_printf(to->arena, "%u:%s", be32(p), g.p.version);
	/* Keys of the signer stand in the database as packages of this name. */
	g.dropped = g.p.name && streq(g.p.name, "gpg-pubkey");
	return flush(&g, e);
}

const char *pkgdb_os_release(const char *text, size_t len, const char *key, struct arena *a)
{
	struct view all = {text, len}, line;
	size_t n = strlen(key);

	while (next_line(&all, &line)) {
		if (line.len <= n || memcmp(line.p, key, n) != 0 || line.p[n] != '=')
			continue;
		line.p += n + 1;
		line.len -= n + 1;
		if (line.len >= 2 && (*line.p == '"' || *line.p == '\'') &&
		    line.p[line.len - 1] == *line.p) {
			line.p++;
			line.len -= 2;
		}
		return keep(a, line);
	}
	return NULL;
}
