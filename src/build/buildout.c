/* SPDX-License-Identifier: Apache-2.0 */
#include "build/buildout.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "build/builder.h"
#include "build/filecopy.h"
#include "build/filefind.h"
#include "engine/image_save.h"
#include "engine/imageroot.h"
#include "engine/layer_make.h"
#include "engine/session.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- words ---- */

static int read_type(const char *value, struct buildout *o)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {{"image", BUILDOUT_IMAGE},
		     {"docker", BUILDOUT_ARCHIVE},
		     {"oci", BUILDOUT_ARCHIVE},
		     {"tar", BUILDOUT_TAR},
		     {"local", BUILDOUT_LOCAL}};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (streq(value, types[i].name)) {
			o->type = types[i].type;
			return 0;
		}
	return -EINVAL;
}

int buildout_parse(const char *text, struct arena *a, struct buildout *out, struct err *e)
{
	struct buildout o = {.type = -1};

	/* Docker's short form: a directory, or stdout for its files. */
	if (!strchr(text, '=')) {
		*out = (struct buildout){streq(text, "-") ? BUILDOUT_TAR : BUILDOUT_LOCAL, text};
		return 0;
	}
	for (const char *p = text; *p; p += strcspn(p, ","), p += *p == ',') {
		char *key = arena_dupn(a, p, strcspn(p, ",")), *value = strchr(key, '=');

		if (value)
			*value++ = 0;
		if (value && streq(key, "dest") && *value)
			o.dest = value;
		else if (!value || !streq(key, "type") || read_type(value, &o) < 0)
			return err_set(e, ERR_USAGE,
				       "--output '%s': want type=image|oci|docker|tar|local and "
				       "dest=PATH",
				       text);
	}
	if (o.type < 0 || (o.type == BUILDOUT_IMAGE) != !o.dest)
		return err_set(e, ERR_USAGE, "--output '%s': %s", text,
			       o.type < 0 ? "no type"
			       : o.dest	  ? "an image has no dest, its name is --tag"
					  : "no dest");
	if (o.type == BUILDOUT_LOCAL && streq(o.dest, "-"))
		return err_set(e, ERR_USAGE, "--output '%s': a directory cannot go to stdout",
			       text);
	*out = o;
	return 0;
}

/* ---- writing ---- */

/* Its layers as one tree. */
static int open_root(struct session *s, const char *id, struct arena *a, struct err *e)
{
	struct image *image = NULL;
	struct store *store;
	int r = session_store(s, &store, e);

	if (r >= 0)
		r = image_find_id(store, id, &image, e);
	if (r < 0)
		return r;
	r = image->record.layers.n ? imageroot_open(store, &image->record.layers, a, e)
				   : err_set(e, ERR_NOT_FOUND, "the image has no files");
	image_close(image);
	return r;
}

static int write_archive(struct session *s, const struct builder_result *built, int fd,
			 struct err *e)
{
	const char *id[] = {built->id};
	struct strs names = built->names;

	if (!names.n)
		names = (struct strs){id, 1};
	return image_save_run(s, &names, fd, e);
}

static int write_tar(struct session *s, const struct builder_result *built, int fd, struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct layer_pack p = {.codec = "none"};
	auto_fd int root = open_root(s, built->id, &a, e);

	if (root < 0)
		return root;
	p.dir_fd = root;
	return layer_make_archive(s->store, &p, fd, e);
}

static int write_local(struct session *s, const struct builder_result *built, const char *dest,
		       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	struct filefind_root root = {.fd = open_root(s, built->id, &a, e), .name = "the image"};
	auto_fd int fd = root.fd;
	auto_fd int dir = -1;
	struct strs names = {0};
	struct filefind_list files;
	const char *all = "/";
	int r;

	if (fd < 0)
		return fd;
	if (mkdir(dest, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "'%s'", dest);
	dir = open(dest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "'%s'", dest);
	r = path_names(dir, &a, &names);
	if (r < 0 || names.n)
		return err_set(e, ERR_CONFLICT, "'%s' is not empty", dest);
	r = filefind_find(&root, &(struct strs){&all, 1}, &(struct filefind_rules){0}, &a, &files,
			  e);
	return r < 0 ? r : filecopy_write(&root, &files, dir, e);
}

int buildout_write(struct session *s, const struct buildout *o, const struct builder_result *built,
		   struct err *e)
{
	auto_fd int file = -1;
	int fd = STDOUT_FILENO, r;

	if (o->type == BUILDOUT_IMAGE)
		return 0;
	if (o->type == BUILDOUT_LOCAL)
		return write_local(s, built, o->dest, e);
	if (!streq(o->dest, "-"))
		fd = file = open(o->dest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "--output '%s'", o->dest);
	r = o->type == BUILDOUT_TAR ? write_tar(s, built, fd, e) : write_archive(s, built, fd, e);
	return r < 0 ? err_wrap(e, r, "--output '%s'", o->dest) : 0;
}

/* ---- the note ---- */

int buildout_metadata(const char *file, const struct builder_result *built, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(1 << 20);
	auto_fd int fd = -1;
	int r;

	/* Digests and names need no escapes. */
	buf_printf(&text, "{\n  \"containerimage.config.digest\": \"%s\",\n", built->id);
	buf_printf(&text, "  \"containerimage.digest\": \"%s\"", built->manifest);
	for (size_t i = 0; i < built->names.n; i++)
		buf_printf(&text, "%s%s", i ? "," : ",\n  \"image.name\": \"", built->names.v[i]);
	buf_puts(&text, built->names.n ? "\"\n}\n" : "\n}\n");
	r = buf_fail(&text, "--metadata-file", e);
	if (r < 0)
		return r;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	errno = fd < 0 ? errno : -fd_write_all(fd, text.p, text.len);
	return errno ? err_sys(e, "--metadata-file '%s'", file) : 0;
}
