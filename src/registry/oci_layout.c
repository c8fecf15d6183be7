/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/oci_layout.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "registry/blob_sink.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

struct oci_layout {
	struct source source;
	bool plain; /* "dir": no index, blobs by their digits beside manifest.json */
	const struct oci_layout_files *files;
	void *arg;
};

static struct oci_layout *self(struct source *s)
{
	return (struct oci_layout *)s;
}

static int read_index(struct oci_layout *l, struct arena *a, struct oci_index *out, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(OCI_MANIFEST_MAX);
	int r = l->files->read(l->arg, "index.json", &text, e);

	return r < 0 ? r : oci_image_index(text.p, text.len, "index.json", a, out, e);
}

/* containerd writes the whole reference beside the tag. */
static const char *tag_of(const struct oci_descriptor *d)
{
	return jbind_lookup(&d->annotations, "org.opencontainers.image.ref.name");
}

static const char *name_of(const struct oci_descriptor *d)
{
	const char *full = jbind_lookup(&d->annotations, "io.containerd.image.name");

	return full ? full : tag_of(d);
}

static int layout_list(struct source *s, struct arena *a, struct fetch_list *out, struct err *e)
{
	struct oci_index index;
	int r;

	if (self(s)->plain) { /* the one without name */
		out->images.v = arena_array(a, 1, sizeof(*out->images.v));
		out->images.n = 1;
		return 0;
	}
	r = read_index(self(s), a, &index, e);
	if (r < 0)
		return r;
	out->images.v = arena_array(a, index.manifests.n, sizeof(*out->images.v));
	out->images.n = index.manifests.n;
	for (size_t i = 0; i < index.manifests.n; i++)
		out->images.v[i] = (struct fetch_item){.name = name_of(&index.manifests.v[i]),
						       .ref = index.manifests.v[i].digest};
	return 0;
}

static const struct oci_descriptor *pick(const struct oci_index *x, const char *ref)
{
	for (size_t i = 0; i < x->manifests.n; i++) {
		const struct oci_descriptor *d = &x->manifests.v[i];
		const char *tag = tag_of(d), *name = name_of(d);

		if (streq(d->digest, ref) || (tag && streq(tag, ref)) || (name && streq(name, ref)))
			return d;
	}
	return NULL;
}

static int blob_name(const struct oci_layout *l, const char *digest, char out[96], struct err *e)
{
	if (!digest_valid(digest))
		return err_set(e, ERR_USAGE, "'%.80s' is not a digest", digest);
	snprintf(out, 96, l->plain ? "%s" : "blobs/sha256/%s", digest_hex(digest));
	return 0;
}

/* manifest.json is the one that was asked for; those of an index inside have names of their own. */
static int plain_manifest(struct oci_layout *l, const char *ref, struct buf *out, struct err *e)
{
	char name[96];

	if (!ref || !digest_valid(ref))
		return ref ? err_set(e, ERR_USAGE, "a dir has one image, without a tag")
			   : l->files->read(l->arg, "manifest.json", out, e);
	snprintf(name, sizeof(name), "%s.manifest.json", digest_hex(ref));
	if (l->files->read(l->arg, name, out, NULL) >= 0)
		return 0;
	out->len = 0;
	return l->files->read(l->arg, "manifest.json", out, e);
}

static int layout_manifest(struct source *s, const char *ref, struct buf *out,
			   const char **media_type, struct arena *a, struct err *e)
{
	struct oci_layout *l = self(s);
	const struct oci_descriptor *d = NULL;
	struct oci_index index;
	char name[96];
	int r;

	if (l->plain)
		return plain_manifest(l, ref, out, e);
	r = read_index(l, a, &index, e);
	if (r < 0)
		return r;
	if (ref)
		d = pick(&index, ref);
	else if (index.manifests.n == 1)
		d = &index.manifests.v[0];
	else
		return err_set(e, ERR_USAGE, "it holds %zu images; name one by its tag",
			       index.manifests.n);
	/* A digest may be that of a manifest inside an index, which index.json does not list. */
	if (!d && !digest_valid(ref))
		return err_set(e, ERR_NOT_FOUND, "no image tagged '%.100s' in it", ref);
	*media_type = d ? d->media_type : NULL;
	r = blob_name(l, d ? d->digest : ref, name, e);
	return r < 0 ? r : l->files->read(l->arg, name, out, e);
}

static int layout_blob(struct source *s, const char *digest, struct blob_sink *sink, struct err *e)
{
	struct oci_layout *l = self(s);
	char name[96];
	int r = blob_name(l, digest, name, e);

	return r < 0 ? r : l->files->stream(l->arg, name, sink, e);
}

static void layout_close(struct source *s)
{
	struct oci_layout *l = self(s);

	l->files->close(l->arg);
	free(l);
}

struct source *oci_layout_new(const struct oci_layout_files *files, void *arg)
{
	static const struct source_ops ops = {layout_list, layout_manifest, layout_blob,
					      layout_close};
	struct oci_layout *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	*l = (struct oci_layout){.source = {&ops}, .files = files, .arg = arg};
	return &l->source;
}

/* ---- a directory ---- */

struct directory {
	int fd;
};

/* Links may not lead out of the directory, and only regular files are read: a FIFO would wait for
 * ever. */
static int open_file(struct directory *d, const char *name, struct err *e)
{
	auto_fd int fd = path_open(d->fd, name, O_RDONLY | O_NONBLOCK, 0, PATH_BENEATH);
	struct stat st;

	if (fd < 0) {
		errno = -fd;
		return err_sys(e, "'%s'", name);
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_CORRUPT, "'%s' is not a file", name);
	return take_fd(&fd);
}

static int dir_read(void *arg, const char *name, struct buf *out, struct err *e)
{
	auto_fd int fd = open_file(arg, name, e);
	auto_free char *text = NULL;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_slurp(fd, out->max, &text);
	if (n == -EFBIG)
		return err_set(e, ERR_LIMIT, "'%s' has more than %zu bytes", name, out->max);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "'%s'", name);
	}
	buf_add(out, text, (size_t)n);
	return buf_fail(out, name, e);
}

static int dir_stream(void *arg, const char *name, struct blob_sink *sink, struct err *e)
{
	auto_fd int fd = open_file(arg, name, e);
	auto_free char *b = malloc(256 << 10);

	if (!b)
		abort();
	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, b, 256 << 10);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? err_sys(e, "'%s'", name) : 0;
		r = blob_sink_write(sink, b, (size_t)n, e);
		if (r < 0)
			return r;
	}
}

static void dir_close(void *arg)
{
	struct directory *d = arg;

	close(d->fd);
	free(d);
}

struct source *oci_layout_open_dir(int dir_fd)
{
	static const struct oci_layout_files files = {dir_read, dir_stream, dir_close};
	struct directory *d = malloc(sizeof(*d));

	if (!d)
		abort();
	d->fd = dir_fd;
	return oci_layout_new(&files, d);
}

struct source *oci_layout_open_plain(int dir_fd)
{
	struct source *s = oci_layout_open_dir(dir_fd);

	self(s)->plain = true;
	return s;
}
