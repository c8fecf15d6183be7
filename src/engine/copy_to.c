/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/copy_to.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/copy_files.h"
#include "engine/image_fetch.h"
#include "fmt/digest.h"
#include "store/stage.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Either a registry or files. */
struct copy_to {
	const struct copy_end *end;
	const char *from;
	struct image_fetch *fetch;
	struct copy_files *files;
};

static int open_registry(struct store *s, struct copy_to *t, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct image_fetch_source src = {.transport = "registry",
					 .host = t->end->name.domain,
					 .repository = t->end->name.path,
					 .push = true,
					 .file = -1};

	if (t->from)
		arena_strs_add(&a, &src.from, t->from);
	return image_fetch_start(s, &src, &t->fetch, e);
}

int copy_to_open(struct store *s, struct stage *stage, const struct copy_to_opts *o,
		 struct copy_to **out, struct err *e)
{
	struct copy_to *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		abort();
	t->end = o->end;
	t->from = o->from;
	r = o->end->kind == COPY_REGISTRY ? open_registry(s, t, e)
					  : copy_files_open(stage, o->end, &t->files, e);
	if (r < 0) {
		copy_to_close(t);
		return r;
	}
	*out = t;
	return 0;
}

void copy_to_close(struct copy_to *t)
{
	if (!t)
		return;
	image_fetch_stop(t->fetch);
	copy_files_close(t->files);
	free(t);
}

int copy_to_have(struct copy_to *t, const char *digest, uint64_t size, struct err *e)
{
	return t->fetch ? image_fetch_have(t->fetch, digest, size, t->from, e)
			: copy_files_have(t->files, digest, size);
}

static int push(struct copy_to *t, const struct image_fetch_push *p,
		void (*report)(void *arg, uint64_t sent), void *arg, struct err *e)
{
	int r = image_fetch_push(t->fetch, 0, p, e);

	return r < 0 ? r : image_fetch_wait(t->fetch, 0, report, arg, e);
}

int copy_to_blob(struct copy_to *t, const char *digest, uint64_t size, int file,
		 void (*report)(void *arg, uint64_t sent), void *arg, struct err *e)
{
	struct image_fetch_push p = {.digest = digest, .from = t->from, .size = size, .file = file};

	return t->fetch ? push(t, &p, report, arg, e)
			: copy_files_blob(t->files, digest, size, file, e);
}

int copy_to_manifest(struct copy_to *t, const struct copy_to_doc *d, struct err *e)
{
	auto_fd int mem = -1;
	struct image_fetch_push p = {.digest = d->digest,
				     .ref = d->top ? copy_end_tag(t->end) : d->digest,
				     .media_type = d->media_type,
				     .size = d->len};

	if (!t->fetch)
		return copy_files_manifest(t->files, d, e);
	if (p.ref != d->digest && digest_valid(p.ref) && !streq(p.ref, d->digest))
		return err_set(e, ERR_USAGE, "the image has digest %s, not %s", d->digest, p.ref);
	mem = memfd_create("manifest", MFD_CLOEXEC);
	if (mem < 0 || fd_write_all(mem, d->text, d->len) < 0)
		return err_sys(e, "memfd");
	p.file = mem;
	return push(t, &p, NULL, NULL, e);
}

int copy_to_finish(struct copy_to *t, struct err *e)
{
	return t->files ? copy_files_finish(t->files, e) : 0;
}
