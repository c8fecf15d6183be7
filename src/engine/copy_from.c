/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy_from.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/digest.h"
#include "fmt/oci_image.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

struct copy_from {
	struct store *s;
	struct stage *stage;
	const struct copy_end *end;
	struct image_fetch *fetch; /* NULL: the store */
	const char *manifest;	   /* the store: digest of the image's */
	struct arena arena;
};

/* ---- opening ---- */

static int open_store(struct copy_from *f, bool whole, struct err *e)
{
	auto_fd int lock = store_lock(f->s, STORE_SHARED, e);
	struct image *i;
	int r = lock < 0 ? lock : image_find(f->s, f->end->ref, NULL, &i, e);

	if (r < 0)
		return r;
	f->manifest = arena_dup(&f->arena, i->record.manifest);
	if (whole && i->record.source && !streq(i->record.source, i->record.manifest)) {
		f->manifest = arena_dup(&f->arena, i->record.source);
		if (!i->record.others.n)
			r = err_set(e, ERR_NOT_FOUND,
				    "the store has one platform of image '%.150s'; pull it with "
				    "--all-platforms",
				    f->end->ref);
	}
	image_close(i);
	return r < 0 ? r : stage_lease(f->stage, STAGE_BLOB, digest_hex(f->manifest), e);
}

static int open_file(const struct copy_end *end, struct err *e)
{
	bool dir = end->kind == COPY_OCI || end->kind == COPY_DIR;
	auto_fd int fd = open(end->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "'%s'", end->path);
	if (dir != S_ISDIR(st.st_mode) || (!dir && !S_ISREG(st.st_mode)))
		return err_set(e, ERR_USAGE, "'%s' is not a %s", end->path,
			       dir ? "directory" : "file");
	return take_fd(&fd);
}

static int open_fetch(struct copy_from *f, struct err *e)
{
	struct image_fetch_source src = {.transport = copy_end_transport(f->end), .file = -1};
	auto_fd int fd = -1;

	if (f->end->kind == COPY_REGISTRY) {
		src.host = f->end->name.domain;
		src.repository = f->end->name.path;
	} else {
		fd = open_file(f->end, e);
		if (fd < 0)
			return fd;
		src.file = fd;
	}
	return image_fetch_start(f->s, &src, &f->fetch, e);
}

int copy_from_open(struct store *s, struct stage *stage, const struct copy_end *end, bool whole,
		   struct copy_from **out, struct err *e)
{
	struct copy_from *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		abort();
	*f = (struct copy_from){.s = s, .stage = stage, .end = end};
	r = end->kind == COPY_STORE ? open_store(f, whole, e) : open_fetch(f, e);
	if (r < 0) {
		copy_from_close(f);
		return r;
	}
	*out = f;
	return 0;
}

void copy_from_close(struct copy_from *f)
{
	if (!f)
		return;
	image_fetch_stop(f->fetch);
	arena_free(&f->arena);
	free(f);
}

/* ---- documents ---- */

static int stored_manifest(struct copy_from *f, const char *digest, struct arena *a,
			   struct image_fetch_doc *out, struct err *e)
{
	auto_free char *text = NULL;
	size_t len = 0;
	int r = blob_read(f->s, digest, OCI_MANIFEST_MAX, &text, &len, e);

	if (r < 0)
		return r;
	*out = (struct image_fetch_doc){
	    .text = arena_dupn(a, text, len), .digest = arena_dup(a, digest), .len = len};
	return 0;
}

/* Archives call an image by a whole name, or by a short one. */
static int named(struct copy_from *f, struct arena *a, struct image_fetch_doc *out, struct err *e)
{
	const struct copy_end *end = f->end;
	const char *names[] = {end->ref, NULL, NULL};
	struct reference ref;
	int r = -ENOENT;

	if (end->kind == COPY_REGISTRY)
		return image_fetch_manifest(f->fetch, copy_end_tag(end), a, out, e);
	if (end->ref && reference_parse(end->ref, a, &ref, NULL) == 0) {
		names[1] = reference_canonical(a, &ref);
		names[2] = reference_familiar(a, names[1]);
	}
	for (size_t i = 2; i > 0 && r < 0 && names[i]; i--)
		r = image_fetch_manifest(f->fetch, names[i], a, out, NULL);
	return r < 0 ? image_fetch_manifest(f->fetch, names[0], a, out, e) : r;
}

int copy_from_manifest(struct copy_from *f, const char *digest, struct arena *a,
		       struct image_fetch_doc *out, struct err *e)
{
	if (!f->fetch)
		return stored_manifest(f, digest ? digest : f->manifest, a, out, e);
	return digest ? image_fetch_manifest(f->fetch, digest, a, out, e) : named(f, a, out, e);
}

/* ---- blobs ---- */

static int stored_blob(struct copy_from *f, const char *digest, uint64_t size, struct err *e)
{
	auto_fd int lock = store_lock(f->s, STORE_SHARED, e);
	int r = lock < 0 ? lock : stage_lease(f->stage, STAGE_BLOB, digest_hex(digest), e);

	if (r < 0)
		return r;
	if (!blob_have(f->s, digest, size))
		return err_set(e, ERR_NOT_FOUND, "blob %.19s is not in the store; pull the image",
			       digest);
	return blob_open(f->s, digest, e);
}

/* Spooled in the stage: the other end may want to read it twice. */
int copy_from_blob(struct copy_from *f, const char *digest, uint64_t size,
		   void (*report)(void *arg, uint64_t got), void *arg, struct err *e)
{
	auto_fd int file = -1;
	int r;

	if (!f->fetch)
		return stored_blob(f, digest, size, e);
	file = openat(stage_fd(f->stage), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (file < 0)
		return err_sys(e, "cannot write to the store");
	r = image_fetch_blob(f->fetch, 0, digest, size, 0, file, -1, e);
	if (r >= 0)
		r = image_fetch_wait(f->fetch, 0, report, arg, e);
	return r < 0 ? r : take_fd(&file);
}
