/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/oci_image.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/json.h"

#include <errno.h>
#include <string.h>

/* ---- tables; member order is the order in which documents of ours are written ---- */

static const struct jbind_field platform_fields[] = {
    JB(struct oci_platform, architecture, "architecture", JBIND_STR),
    JB(struct oci_platform, os, "os", JBIND_STR),
    JB(struct oci_platform, os_version, "os.version", JBIND_STR),
    JB(struct oci_platform, variant, "variant", JBIND_STR),
    JB_END,
};
static const struct jbind platform_table = {sizeof(struct oci_platform), platform_fields, false};

static const struct jbind_field descriptor_fields[] = {
    JB(struct oci_descriptor, media_type, "mediaType", JBIND_STR),
    JB(struct oci_descriptor, digest, "digest", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct oci_descriptor, size, "size", JBIND_UINT, .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct oci_descriptor, annotations, "annotations", JBIND_MAP),
    JB(struct oci_descriptor, platform, "platform", JBIND_PTR, .sub = &platform_table),
    JB_END,
};
static const struct jbind descriptor_table = {sizeof(struct oci_descriptor), descriptor_fields,
					      false};

static const struct jbind_field index_fields[] = {
    JB(struct oci_index, schema_version, "schemaVersion", JBIND_I32),
    JB(struct oci_index, media_type, "mediaType", JBIND_STR),
    JB(struct oci_index, manifests, "manifests", JBIND_LIST, .sub = &descriptor_table,
       .flags = JBIND_REQUIRED),
    JB_END,
};
static const struct jbind index_table = {sizeof(struct oci_index), index_fields, false};

static const struct jbind_field manifest_fields[] = {
    JB(struct oci_manifest, schema_version, "schemaVersion", JBIND_I32),
    JB(struct oci_manifest, media_type, "mediaType", JBIND_STR),
    JB(struct oci_manifest, config, "config", JBIND_OBJ, .sub = &descriptor_table,
       .flags = JBIND_REQUIRED),
    JB(struct oci_manifest, layers, "layers", JBIND_LIST, .sub = &descriptor_table,
       .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct oci_manifest, annotations, "annotations", JBIND_MAP),
    JB_END,
};
static const struct jbind manifest_table = {sizeof(struct oci_manifest), manifest_fields, false};

static const struct jbind_field history_fields[] = {
    JB(struct oci_history, created, "created", JBIND_STR),
    JB(struct oci_history, created_by, "created_by", JBIND_STR),
    JB(struct oci_history, author, "author", JBIND_STR),
    JB(struct oci_history, comment, "comment", JBIND_STR),
    JB(struct oci_history, empty_layer, "empty_layer", JBIND_BOOL),
    JB_END,
};
static const struct jbind history_table = {sizeof(struct oci_history), history_fields, false};

static const struct jbind_field process_fields[] = {
    JB(struct oci_process, user, "User", JBIND_STR),
    JB(struct oci_process, exposed_ports, "ExposedPorts", JBIND_KEYS),
    JB(struct oci_process, env, "Env", JBIND_STRS),
    JB(struct oci_process, entrypoint, "Entrypoint", JBIND_STRS),
    JB(struct oci_process, cmd, "Cmd", JBIND_STRS),
    JB(struct oci_process, healthcheck, "Healthcheck", JBIND_RAW),
    JB(struct oci_process, args_escaped, "ArgsEscaped", JBIND_BOOL),
    JB(struct oci_process, volumes, "Volumes", JBIND_KEYS),
    JB(struct oci_process, working_dir, "WorkingDir", JBIND_STR),
    JB(struct oci_process, labels, "Labels", JBIND_MAP),
    JB(struct oci_process, stop_signal, "StopSignal", JBIND_STR),
    JB(struct oci_process, shell, "Shell", JBIND_STRS),
    JB(struct oci_process, on_build, "OnBuild", JBIND_STRS),
    JB_END,
};
static const struct jbind process_table = {sizeof(struct oci_process), process_fields, false};

static const struct jbind_field rootfs_fields[] = {
    JB(struct oci_rootfs, type, "type", JBIND_STR),
    JB(struct oci_rootfs, diff_ids, "diff_ids", JBIND_STRS, .flags = JBIND_KEEP),
    JB_END,
};
static const struct jbind rootfs_table = {sizeof(struct oci_rootfs), rootfs_fields, false};

static const struct jbind_field config_fields[] = {
    JB(struct oci_config, created, "created", JBIND_STR),
    JB(struct oci_config, author, "author", JBIND_STR),
    JB(struct oci_config, platform.architecture, "architecture", JBIND_STR),
    JB(struct oci_config, platform.os, "os", JBIND_STR),
    JB(struct oci_config, platform.os_version, "os.version", JBIND_STR),
    JB(struct oci_config, platform.variant, "variant", JBIND_STR),
    JB(struct oci_config, config, "config", JBIND_OBJ, .sub = &process_table, .flags = JBIND_KEEP),
    JB(struct oci_config, rootfs, "rootfs", JBIND_OBJ, .sub = &rootfs_table,
       .flags = JBIND_REQUIRED),
    JB(struct oci_config, history, "history", JBIND_LIST, .sub = &history_table),
    JB_END,
};
static const struct jbind config_table = {sizeof(struct oci_config), config_fields, false};

/* ---- reading ---- */

static int check_descriptor(const struct oci_descriptor *d, uint64_t max, const char *what,
			    struct err *e)
{
	if (!digest_valid(d->digest)) {
		if (strncmp(d->digest, "sha512:", 7) == 0)
			return err_set(e, ERR_UNSUPPORTED, "%s: digest '%.40s...' is not sha256",
				       what, d->digest);
		return err_set(e, ERR_CORRUPT, "%s: '%.80s' is not a digest", what, d->digest);
	}
	if (d->size > max)
		return err_set(e, ERR_LIMIT,
			       "%s: %s says it has %llu bytes, at most %llu are taken", what,
			       d->digest, (unsigned long long)d->size, (unsigned long long)max);
	return 0;
}

static bool is_index_type(const char *t)
{
	return streq(t, OCI_TYPE_INDEX) || streq(t, DOCKER_TYPE_LIST);
}

static bool is_manifest_type(const char *t)
{
	return streq(t, OCI_TYPE_MANIFEST) || streq(t, DOCKER_TYPE_MANIFEST);
}

static int says(const char *type, int kind, const char *what, struct err *e)
{
	if (type && ((kind == OCI_MANIFEST && is_index_type(type)) ||
		     (kind == OCI_INDEX && is_manifest_type(type))))
		return err_set(e, ERR_CORRUPT, "%s is called '%s' but is %s", what, type,
			       kind == OCI_INDEX ? "an index" : "a manifest");
	return 0;
}

int oci_image_kind(const char *text, size_t len, const char *media_type, const char *what,
		   struct err *e)
{
	auto_json struct json *j = NULL;
	bool layers, manifests;
	int kind, r;

	if (len > OCI_MANIFEST_MAX)
		return err_set(e, ERR_LIMIT, "%s has more than %u bytes", what, OCI_MANIFEST_MAX);
	r = json_parse(text, len, what, &j, e);
	if (r < 0)
		return r;
	layers = json_member(j, "layers") || json_member(j, "config");
	manifests = json_member(j, "manifests");
	if (json_member(j, "fsLayers") || json_member(j, "signatures"))
		return err_set(e, ERR_UNSUPPORTED,
			       "%s is in docker's old schema 1, which nobody should trust", what);
	if (layers == manifests)
		return err_set(e, ERR_CORRUPT, "%s %s", what,
			       layers ? "is index and manifest at once"
				      : "is neither an index nor a manifest");
	kind = manifests ? OCI_INDEX : OCI_MANIFEST;
	r = says(media_type, kind, what, e);
	if (r < 0)
		return r;
	r = says(json_string(json_member(j, "mediaType")), kind, what, e);
	return r < 0 ? r : kind;
}

static int check_version(int version, const char *what, struct err *e)
{
	return version == 2
		   ? 0
		   : err_set(e, ERR_UNSUPPORTED, "%s: schemaVersion %d, expected 2", what, version);
}

int oci_image_index(const char *text, size_t len, const char *what, struct arena *a,
		    struct oci_index *out, struct err *e)
{
	struct oci_index x = {0};
	int r = oci_image_kind(text, len, OCI_TYPE_INDEX, what, e);

	if (r >= 0)
		r = jbind_parse(&index_table, text, len, &x, a, what, e);
	if (r >= 0)
		r = check_version(x.schema_version, what, e);
	if (r < 0)
		return r;
	if (x.manifests.n > OCI_MANIFESTS_MAX)
		return err_set(e, ERR_LIMIT, "%s has %zu entries, at most %d are taken", what,
			       x.manifests.n, OCI_MANIFESTS_MAX);
	for (size_t i = 0; i < x.manifests.n; i++) {
		r = check_descriptor(&x.manifests.v[i], OCI_MANIFEST_MAX, what, e);
		if (r < 0)
			return r;
	}
	*out = x;
	return 0;
}

/* The last part of the type is the compression, which the bytes tell too; only what no reader of
 * ours can take is refused here. */
static int check_layer(const struct oci_descriptor *d, const char *what, struct err *e)
{
	static const char *const known[] = {
	    OCI_TYPE_LAYER,
	    DOCKER_TYPE_LAYER,
	    "application/vnd.oci.image.layer.nondistributable.v1.tar",
	    "application/vnd.docker.image.rootfs.foreign.diff.tar",
	};

	if (!d->media_type)
		return err_set(e, ERR_CORRUPT, "%s: layer %s has no media type", what, d->digest);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		const char *rest = str_after(d->media_type, known[i]);

		if (rest && (!*rest || streq(rest, "+gzip") || streq(rest, ".gzip") ||
			     streq(rest, "+zstd") || streq(rest, ".zstd")))
			return 0;
	}
	return err_set(e, ERR_UNSUPPORTED, "%s: layer type '%.100s' is not supported", what,
		       d->media_type);
}

/* A manifest whose numbers and digests are right, of whatever kind. */
static int parse_manifest(const char *text, size_t len, const char *what, struct arena *a,
			  struct oci_manifest *m, struct err *e)
{
	int r = oci_image_kind(text, len, OCI_TYPE_MANIFEST, what, e);

	if (r >= 0)
		r = jbind_parse(&manifest_table, text, len, m, a, what, e);
	if (r >= 0)
		r = check_version(m->schema_version, what, e);
	if (r >= 0)
		r = check_descriptor(&m->config, OCI_CONFIG_MAX, what, e);
	if (r >= 0 && m->layers.n > OCI_LAYERS_MAX)
		r = err_set(e, ERR_LIMIT, "%s has %zu layers, at most %d are taken", what,
			    m->layers.n, OCI_LAYERS_MAX);
	for (size_t i = 0; r >= 0 && i < m->layers.n; i++)
		r = check_descriptor(&m->layers.v[i], OCI_BLOB_MAX, what, e);
	return r;
}

int oci_image_artifact(const char *text, size_t len, const char *what, struct arena *a,
		       struct oci_manifest *out, struct err *e)
{
	struct oci_manifest m = {0};
	int r = parse_manifest(text, len, what, a, &m, e);

	if (r >= 0)
		*out = m;
	return r;
}

int oci_image_manifest(const char *text, size_t len, const char *what, struct arena *a,
		       struct oci_manifest *out, struct err *e)
{
	struct oci_manifest m = {0};
	int r = parse_manifest(text, len, what, a, &m, e);

	if (r < 0)
		return r;
	if (m.config.media_type && !streq(m.config.media_type, OCI_TYPE_CONFIG) &&
	    !streq(m.config.media_type, DOCKER_TYPE_CONFIG))
		return err_set(e, ERR_UNSUPPORTED, "%s is not an image but '%.100s'", what,
			       m.config.media_type);
	for (size_t i = 0; r >= 0 && i < m.layers.n; i++)
		r = check_layer(&m.layers.v[i], what, e);
	if (r >= 0)
		*out = m;
	return r;
}

int oci_image_config(const char *text, size_t len, const char *what, struct arena *a,
		     struct oci_config *out, struct err *e)
{
	struct oci_config c = {0};
	int r;

	if (len > OCI_CONFIG_MAX)
		return err_set(e, ERR_LIMIT, "%s has more than %u bytes", what, OCI_CONFIG_MAX);
	r = jbind_parse(&config_table, text, len, &c, a, what, e);
	if (r < 0)
		return r;
	if (c.rootfs.type && !streq(c.rootfs.type, "layers"))
		return err_set(e, ERR_UNSUPPORTED, "%s: rootfs type '%.40s' is not 'layers'", what,
			       c.rootfs.type);
	if (c.rootfs.diff_ids.n > OCI_LAYERS_MAX)
		return err_set(e, ERR_LIMIT, "%s has %zu layers, at most %d are taken", what,
			       c.rootfs.diff_ids.n, OCI_LAYERS_MAX);
	for (size_t i = 0; i < c.rootfs.diff_ids.n; i++)
		if (!digest_valid(c.rootfs.diff_ids.v[i]))
			return err_set(e, ERR_CORRUPT, "%s: rootfs.diff_ids[%zu] is not a digest",
				       what, i);
	*out = c;
	return 0;
}

int oci_image_match(const struct oci_manifest *m, const struct oci_config *c, const char *what,
		    struct err *e)
{
	if (m->layers.n != c->rootfs.diff_ids.n)
		return err_set(e, ERR_CORRUPT, "%s: manifest has %zu layers, configuration %zu",
			       what, m->layers.n, c->rootfs.diff_ids.n);
	return 0;
}

void oci_image_write_manifest(const struct oci_manifest *m, struct buf *out)
{
	jbind_write(&manifest_table, m, out);
}

void oci_image_write_config(const struct oci_config *c, struct buf *out)
{
	jbind_write(&config_table, c, out);
}

/* ---- platforms ---- */

/* Names as GOARCH has them, and what else people call the same machine. */
static const char *arch_name(const char *s)
{
	static const char *const also[][2] = {
	    {"x86_64", "amd64"}, {"x86-64", "amd64"}, {"aarch64", "arm64"}, {"i386", "386"},
	    {"i686", "386"},	 {"armhf", "arm"},    {"armel", "arm"},
	};

	for (size_t i = 0; i < sizeof(also) / sizeof(*also); i++)
		if (streq(s, also[i][0]))
			return also[i][1];
	return s;
}

void oci_image_host(struct oci_platform *out)
{
	*out = (struct oci_platform){.os = "linux"};
#if defined(__x86_64__)
	out->architecture = "amd64";
#elif defined(__aarch64__)
	out->architecture = "arm64";
#elif defined(__riscv)
	out->architecture = "riscv64";
#else
#error "name this architecture as GOARCH does"
#endif
}

int oci_image_platform(const char *s, struct arena *a, struct oci_platform *out, struct err *e)
{
	struct oci_platform p = {.os = "linux"};
	char *copy = arena_dup(a, s), *slash = strchr(copy, '/'), *rest;

	if (strlen(s) > 100 || !*s ||
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-./") != strlen(s))
		goto bad;
	if (!slash) {
		p.architecture = arch_name(copy);
	} else {
		*slash = '\0';
		p.os = copy;
		rest = slash + 1;
		slash = strchr(rest, '/');
		if (slash) {
			*slash = '\0';
			p.variant = slash + 1;
		}
		p.architecture = arch_name(rest);
	}
	if (!*p.os || !*p.architecture || (p.variant && (!*p.variant || strchr(p.variant, '/'))))
		goto bad;
	*out = p;
	return 0;
bad:
	return err_set(e, ERR_USAGE, "'%.60s' is not a platform such as linux/amd64", s);
}

const char *oci_image_platform_print(const struct oci_platform *p, struct arena *a)
{
	return arena_printf(a, "%s/%s%s%s", p->os ? p->os : "unknown",
			    p->architecture ? p->architecture : "unknown", p->variant ? "/" : "",
			    p->variant ? p->variant : "");
}

bool oci_image_fits(const struct oci_platform *have, const struct oci_platform *want)
{
	/* Images made from archives say nothing; they are taken to be what was asked for. */
	if (have->os && *have->os && !streq(have->os, want->os))
		return false;
	if (have->architecture && *have->architecture &&
	    !streq(arch_name(have->architecture), want->architecture))
		return false;
	return !want->variant || !have->variant || streq(have->variant, want->variant);
}

int oci_image_choose(const struct oci_index *index, const struct oci_platform *want,
		     const char *what, const struct oci_descriptor **out, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf there = BUF_INIT(200);
	const struct oci_descriptor *silent = NULL;
	size_t n = 0;

	for (size_t i = 0; i < index->manifests.n; i++) {
		const struct oci_descriptor *d = &index->manifests.v[i];

		/* Attestations are stored beside images as "unknown/unknown". */
		if (d->platform && d->platform->os && streq(d->platform->os, "unknown"))
			continue;
		n++;
		if (!d->platform || !d->platform->architecture) {
			silent = silent ? silent : d;
			continue;
		}
		if (oci_image_fits(d->platform, want)) {
			*out = d;
			return 0;
		}
		buf_printf(&there, " %s", oci_image_platform_print(d->platform, &a));
	}
	if (silent && n == 1) {
		*out = silent;
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, "%s has nothing for platform %s, only for:%s", what,
		       oci_image_platform_print(want, &a), there.len ? there.p : " none");
}

const char *oci_image_type(const struct oci_manifest *m)
{
	if (m->media_type)
		return m->media_type;
	return m->config.media_type && streq(m->config.media_type, DOCKER_TYPE_CONFIG)
		   ? DOCKER_TYPE_MANIFEST
		   : OCI_TYPE_MANIFEST;
}

struct notes {
	struct buf *out;
	unsigned int n;
};

/* Only strings may be there. */
static int annotation(const char *key, struct json *value, void *arg)
{
	struct notes *n = arg;

	if (!json_string(value))
		return 0;
	buf_puts(n->out, n->n++ ? "," : ",\"annotations\":{");
	json_quote(n->out, key);
	buf_puts(n->out, ":");
	json_quote(n->out, json_string(value));
	return 0;
}

int oci_image_referrer(const char *text, size_t len, const char *digest, const char *subject,
		       const char *artifact_type, bool more, struct buf *out)
{
	auto_json struct json *j = NULL;
	const char *about, *type, *artifact;
	struct notes n = {out, 0};

	if (json_parse(text, len, "manifest", &j, NULL) < 0)
		return 0;
	about = json_string(json_member(json_member(j, "subject"), "digest"));
	if (!about || !streq(about, subject))
		return 0;
	type = json_string(json_member(j, "mediaType"));
	artifact = json_string(json_member(j, "artifactType"));
	if (!artifact)
		artifact = json_string(json_member(json_member(j, "config"), "mediaType"));
	if (artifact_type && (!artifact || !streq(artifact, artifact_type)))
		return 0;
	buf_puts(out, more ? ",{\"mediaType\":" : "{\"mediaType\":");
	json_quote(out, type ? type : OCI_TYPE_MANIFEST);
	buf_printf(out, ",\"digest\":\"%s\",\"size\":%zu", digest, len);
	if (artifact) {
		buf_puts(out, ",\"artifactType\":");
		json_quote(out, artifact);
	}
	json_each(json_member(j, "annotations"), annotation, &n);
	buf_puts(out, n.n ? "}}" : "}");
	return 1;
}
