/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy_files.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/tarout.h"
#include "fmt/digest.h"
#include "fmt/json.h"
#include "fmt/oci_image.h"
#include "store/stage.h"
#include "sys/fd.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define LAYOUT	"{\"imageLayoutVersion\":\"1.0.0\"}"
#define VERSION "Directory Transport Version: 1.1\n"
#define BESIDE	".caisson-part" /* nobody's blob is called so */

struct copy_files {
	const struct copy_end *end;
	struct arena arena;
	int dir;	    /* of the layout */
	struct strs names;  /* of what an archive holds */
	const char *config; /* docker's archive: of the one manifest */
	struct strs layers;
	const char *part; /* an archive that is not whole yet */
};

static bool is_archive(const struct copy_files *f)
{
	return f->end->kind == COPY_OCI_ARCHIVE || f->end->kind == COPY_DOCKER_ARCHIVE;
}

static const char *blob_name(const struct copy_files *f, const char *digest, struct arena *a)
{
	return arena_printf(a, f->end->kind == COPY_DIR ? "%s" : "blobs/sha256/%s",
			    digest_hex(digest));
}

/* ---- the directory ---- */

static int make_dir(struct copy_files *f, struct stage *stage, struct err *e)
{
	const char *path = is_archive(f) ? "layout" : f->end->path;
	int at = is_archive(f) ? stage_fd(stage) : AT_FDCWD;

	if (mkdirat(at, path, 0777) < 0 && errno != EEXIST)
		return err_sys(e, "'%s'", f->end->path);
	f->dir = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0)
		return err_sys(e, "'%s'", f->end->path);
	if (f->end->kind != COPY_DIR &&
	    ((mkdirat(f->dir, "blobs", 0777) < 0 && errno != EEXIST) ||
	     (mkdirat(f->dir, "blobs/sha256", 0777) < 0 && errno != EEXIST)))
		return err_sys(e, "'%s/blobs'", f->end->path);
	return 0;
}

int copy_files_open(struct stage *stage, const struct copy_end *end, struct copy_files **out,
		    struct err *e)
{
	struct copy_files *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		abort();
	*f = (struct copy_files){.end = end, .dir = -1};
	r = make_dir(f, stage, e);
	if (r < 0) {
		copy_files_close(f);
		return r;
	}
	*out = f;
	return 0;
}

void copy_files_close(struct copy_files *f)
{
	if (!f)
		return;
	if (f->part)
		unlink(f->part);
	fd_close(f->dir);
	arena_free(&f->arena);
	free(f);
}

/* Open a file beside, to be renamed by settle(). */
static int begin(struct copy_files *f)
{
	return openat(f->dir, BESIDE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
}

/* error: errno of what was written so far, or 0. */
static int settle(struct copy_files *f, const char *name, int error, struct err *e)
{
	if (!error && renameat(f->dir, BESIDE, f->dir, name) < 0)
		error = errno;
	if (!error) {
		arena_strs_add(&f->arena, &f->names, arena_dup(&f->arena, name));
		return 0;
	}
	unlinkat(f->dir, BESIDE, 0);
	errno = error;
	return err_sys(e, "'%s/%s'", f->end->path, name);
}

static int put(struct copy_files *f, const char *name, const void *data, size_t len, struct err *e)
{
	auto_fd int out = begin(f);

	return settle(f, name, out < 0 ? errno : -fd_write_all(out, data, len), e);
}

/* A file of that size there was written whole, and is looked at by digest when it is read. */
bool copy_files_have(const struct copy_files *f, const char *digest, uint64_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct stat st;

	return fstatat(f->dir, blob_name(f, digest, &a), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISREG(st.st_mode) && (uint64_t)st.st_size == size;
}

int copy_files_blob(struct copy_files *f, const char *digest, uint64_t size, int file,
		    struct err *e)
{
	auto_fd int out = begin(f);
	ssize_t n = out < 0 || lseek(file, 0, SEEK_SET) < 0 ? -errno : fd_copy(file, out);

	if (n >= 0 && (uint64_t)n != size) {
		unlinkat(f->dir, BESIDE, 0);
		return err_set(e, ERR_CORRUPT, "blob %.19s has %lld bytes, expected %llu", digest,
			       (long long)n, (unsigned long long)size);
	}
	return settle(f, blob_name(f, digest, &f->arena), n < 0 ? (int)-n : 0, e);
}

/* ---- index.json ---- */

/* Other images stay; one of the same tag, or the same image without a tag, is replaced. */
static bool stays(const struct copy_files *f, const struct json *m, const struct copy_to_doc *d)
{
	const char *tag = json_string(
	    json_member(json_member(m, "annotations"), "org.opencontainers.image.ref.name"));
	const char *digest = json_string(json_member(m, "digest"));

	if (tag || f->end->ref)
		return !(tag && f->end->ref && streq(tag, f->end->ref));
	return !(digest && streq(digest, d->digest));
}

static int others(struct copy_files *f, const struct copy_to_doc *d, struct buf *out, struct err *e)
{
	auto_free char *text = NULL;
	auto_json struct json *j = NULL;
	ssize_t n = file_read(f->dir, "index.json", OCI_MANIFEST_MAX, &text);
	struct json *list;
	int r;

	if (n == -ENOENT)
		return 0;
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s/index.json'", f->end->path);
	}
	r = json_parse(text, (size_t)n, "index.json", &j, e);
	list = r < 0 ? NULL : json_member(j, "manifests");
	if (r >= 0 && !json_is_array(list))
		r = err_set(e, ERR_CORRUPT, "'%s/index.json' is not an index", f->end->path);
	for (size_t i = 0; r >= 0 && i < json_length(list); i++)
		if (stays(f, json_at(list, i), d)) {
			json_dump(json_at(list, i), out);
			buf_puts(out, ",");
		}
	return r;
}

/* A name for docker's kind of archive is written as containerd writes and docker reads it. */
static void annotations(struct copy_files *f, const char *name, struct buf *out)
{
	struct reference ref;

	buf_puts(out, ",\"annotations\":{");
	if (f->end->kind == COPY_DOCKER_ARCHIVE &&
	    reference_parse(name, &f->arena, &ref, NULL) == 0) {
		buf_puts(out, "\"io.containerd.image.name\":");
		json_quote(out, reference_canonical(&f->arena, &ref));
		buf_puts(out, ",");
		name = ref.tag ? ref.tag : ref.digest;
	}
	buf_puts(out, "\"org.opencontainers.image.ref.name\":");
	json_quote(out, name);
	buf_puts(out, "}");
}

static int put_index(struct copy_files *f, const struct copy_to_doc *d, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX);
	const char *ref = f->end->ref;
	int r;

	buf_puts(&b, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_TYPE_INDEX "\",\"manifests\":[");
	r = others(f, d, &b, e);
	buf_puts(&b, "{\"mediaType\":");
	json_quote(&b, d->media_type);
	buf_printf(&b, ",\"digest\":\"%s\",\"size\":%zu", d->digest, d->len);
	if (ref)
		annotations(f, ref, &b);
	buf_puts(&b, "}]}");
	if (r >= 0)
		r = buf_fail(&b, "index.json", e);
	if (r >= 0)
		r = put(f, "oci-layout", LAYOUT, strlen(LAYOUT), e);
	return r < 0 ? r : put(f, "index.json", b.p, b.len, e);
}

/* ---- docker's manifest.json ---- */

static int put_docker(struct copy_files *f, const struct copy_to_doc *d, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf b = BUF_INIT(OCI_MANIFEST_MAX);
	struct oci_manifest m;
	struct reference ref;
	int r = oci_image_kind(d->text, d->len, d->media_type, "manifest", e);

	if (r == OCI_INDEX)
		return err_set(e, ERR_UNSUPPORTED,
			       "docker-archive holds one platform of an image; not --all");
	if (r >= 0)
		r = oci_image_manifest(d->text, d->len, "manifest", &a, &m, e);
	if (r >= 0 && f->end->ref)
		r = reference_parse(f->end->ref, &a, &ref, e);
	if (r < 0)
		return r;
	buf_printf(&b, "[{\"Config\":\"blobs/sha256/%s\",\"RepoTags\":[",
		   digest_hex(m.config.digest));
	if (f->end->ref)
		json_quote(&b, reference_familiar(&a, reference_canonical(&a, &ref)));
	buf_puts(&b, "],\"Layers\":[");
	for (size_t i = 0; i < m.layers.n; i++)
		buf_printf(&b, "%s\"blobs/sha256/%s\"", i ? "," : "",
			   digest_hex(m.layers.v[i].digest));
	buf_puts(&b, "]}]");
	r = buf_fail(&b, "manifest.json", e);
	return r < 0 ? r : put(f, "manifest.json", b.p, b.len, e);
}

int copy_files_manifest(struct copy_files *f, const struct copy_to_doc *d, struct err *e)
{
	bool plain = f->end->kind == COPY_DIR;
	int r;

	if (plain && d->top) {
		r = put(f, "version", VERSION, strlen(VERSION), e);
		return r < 0 ? r : put(f, "manifest.json", d->text, d->len, e);
	}
	r = put(f,
		plain ? arena_printf(&f->arena, "%s.manifest.json", digest_hex(d->digest))
		      : blob_name(f, d->digest, &f->arena),
		d->text, d->len, e);
	if (r >= 0 && d->top && f->end->kind == COPY_DOCKER_ARCHIVE)
		r = put_docker(f, d, e);
	return r < 0 || !d->top ? r : put_index(f, d, e);
}

/* ---- archives ---- */

static int add_file(struct copy_files *f, int to, const char *name, struct err *e)
{
	auto_fd int from = openat(f->dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	int r;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(e, "'%s'", name);
	r = tarout_file(to, name, (uint64_t)st.st_size, e);
	if (r < 0)
		return r;
	n = fd_copy(from, to);
	errno = n < 0 ? (int)-n : 0;
	return n < 0 ? err_sys(e, "cannot write the archive")
		     : tarout_pad(to, (uint64_t)st.st_size, e);
}

static int pack(struct copy_files *f, int to, struct err *e)
{
	int r = tarout_dir(to, "blobs/", e);

	if (r >= 0)
		r = tarout_dir(to, "blobs/sha256/", e);
	/* In order of names, each once, so that the same image gives the same archive. */
	arena_strs_sort(&f->names);
	for (size_t i = 0; r >= 0 && i < f->names.n; i++)
		if (!i || !streq(f->names.v[i - 1], f->names.v[i]))
			r = add_file(f, to, f->names.v[i], e);
	return r < 0 ? r : tarout_end(to, e);
}

int copy_files_finish(struct copy_files *f, struct err *e)
{
	char *part = arena_printf(&f->arena, "%s.part-XXXXXX", f->end->path);
	auto_fd int fd = -1;
	mode_t mask;
	int r;

	if (!is_archive(f))
		return syncfs(f->dir) < 0 ? err_sys(e, "'%s'", f->end->path) : 0;
	fd = mkostemp(part, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "'%s'", f->end->path);
	f->part = part;
	mask = umask(0);
	umask(mask);
	r = pack(f, fd, e);
	if (r < 0)
		return err_wrap(e, r, "'%s'", f->end->path);
	if (fchmod(fd, 0666 & ~mask) < 0 || fsync(fd) < 0 || rename(part, f->end->path) < 0)
		return err_sys(e, "'%s'", f->end->path);
	f->part = NULL;
	return 0;
}
