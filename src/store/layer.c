/* SPDX-License-Identifier: Apache-2.0 */
#include "store/layer.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/str.h"
#include "fmt/jbind.h"
#include "store/stage.h"
#include "store/store.h"
#include "store/store_int.h"
#include "store/verity.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static const char *const form_names[] = {"erofs", "dir", NULL};
_Static_assert(sizeof(form_names) / sizeof(*form_names) == LAYER_FORM_MAX_ + 1, "a name each");

static const struct jbind_field fields[] = {
    JB(struct layer, diff_id, "diffId", JBIND_STR, .flags = JBIND_REQUIRED),
    JB(struct layer, blob_digest, "blobDigest", JBIND_STR),
    JB(struct layer, blob_size, "blobSize", JBIND_UINT),
    JB(struct layer, form, "form", JBIND_ENUM, .names = form_names,
       .flags = JBIND_REQUIRED | JBIND_KEEP),
    JB(struct layer, size, "size", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct layer, tar_size, "tarSize", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct layer, entries, "entries", JBIND_UINT, .flags = JBIND_KEEP),
    JB(struct layer, verity, "verity", JBIND_STR),
    JB_END,
};
static const struct jbind table = {sizeof(struct layer), fields, false};

struct name {
	char s[96];
};

static struct name mark_name(const char *diff_id, int form)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), form == LAYER_EROFS ? "%s.json" : "%s.dir.json",
		 digest_hex(diff_id));
	return n;
}

static struct name data_name(const char *diff_id, int form)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "%s.%s", digest_hex(diff_id), form_names[form]);
	return n;
}

static struct name staged_name(const char *diff_id, int form)
{
	struct name n;

	snprintf(n.s, sizeof(n.s), "layer-%s.%s", diff_id ? digest_hex(diff_id) : "new",
		 form_names[form]);
	return n;
}

int layer_find_form(const struct store *s, const char *diff_id, enum layer_form form,
		    struct arena *a, struct layer *out, struct err *e)
{
	struct layer l = {0};
	auto_free char *text = NULL;
	char name[112];
	struct stat st;
	ssize_t n;
	int r;

	snprintf(name, sizeof(name), "layers/%s", mark_name(diff_id, (int)form).s);
	n = file_read(s->root_fd, name, STORE_JSON_MAX, &text);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "layer %.19s", diff_id);
	}
	r = jbind_parse(&table, text, (size_t)n, &l, a, name, e);
	if (r < 0)
		return r;
	/* The mark was written after the data; data that went missing since was taken by hand. */
	if (!streq(l.diff_id, diff_id) || l.form != (int)form ||
	    fstatat(s->root_fd, layer_name(&l, a), &st, 0) < 0 ||
	    (form == LAYER_EROFS && (uint64_t)st.st_size != l.size))
		return err_set(e, ERR_NOT_FOUND, "layer %.19s is not what its mark says", diff_id);
	*out = l;
	return 0;
}

int layer_find(const struct store *s, const char *diff_id, struct arena *a, struct layer *out,
	       struct err *e)
{
	if (layer_find_form(s, diff_id, LAYER_EROFS, a, out, NULL) == 0)
		return 0;
	return layer_find_form(s, diff_id, LAYER_DIR, a, out, e);
}

int layer_stage(struct stage *st, const char *diff_id, enum layer_form form, struct err *e)
{
	struct name n = staged_name(diff_id, (int)form);
	int fd;

	if (fault_point("layer-stage") < 0)
		return err_sys(e, "cannot write to the store");
	if (form == LAYER_EROFS)
		fd = openat(stage_fd(st), n.s, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	else if ((fd = path_remove(stage_fd(st), n.s)) < 0) /* of an attempt that failed */
		errno = -fd;
	else if (mkdirat(stage_fd(st), n.s, 0755) < 0)
		fd = -1;
	else
		fd = openat(stage_fd(st), n.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot write to the store") : fd;
}

int layer_identify(struct stage *st, const char *diff_id, enum layer_form form, struct err *e)
{
	/* The same layer may have been made in this stage before, and stayed here because the store
	 * had it; a file would be replaced, a directory is not. */
	int r =
	    form == LAYER_DIR ? path_remove(stage_fd(st), staged_name(diff_id, (int)form).s) : 0;

	errno = -r;
	if (r < 0 || renameat(stage_fd(st), staged_name(NULL, (int)form).s, stage_fd(st),
			      staged_name(diff_id, (int)form).s) < 0)
		return err_sys(e, "layer %.19s", diff_id);
	return 0;
}

/* A directory has no single file to sync; one syncfs covers its thousands. */
static int sync_data(struct stage *st, const struct layer *l)
{
	auto_fd int fd =
	    openat(stage_fd(st), staged_name(l->diff_id, l->form).s, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fault_point("layer-sync") < 0)
		return -1;
	return l->form == LAYER_DIR ? syncfs(fd) : fdatasync(fd);
}

static int remove_form(int dir, const char *diff_id, int form, struct err *e)
{
	if (fault_point("layer-unmark") < 0 ||
	    (unlinkat(dir, mark_name(diff_id, form).s, 0) < 0 && errno != ENOENT))
		return err_sys(e, "layer %.19s", diff_id);
	errno = -fault_point("layer-remove");
	if (!errno)
		errno = -path_remove(dir, data_name(diff_id, form).s);
	return errno ? err_sys(e, "layer %.19s", diff_id) : 0;
}

/* dir is locked. */
static int publish(struct stage *st, int dir, const struct layer *l, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(STORE_JSON_MAX);
	int r = remove_form(dir, l->diff_id, l->form, e);

	if (r < 0)
		return r;
	if (fault_point("layer-rename") < 0 ||
	    renameat(stage_fd(st), staged_name(l->diff_id, l->form).s, dir,
		     data_name(l->diff_id, l->form).s) < 0 ||
	    fault_point("layer-dirsync") < 0 || fsync(dir) < 0)
		return err_sys(e, "layer %.19s", l->diff_id);
	jbind_write(&table, l, &text);
	errno = -fault_point("layer-mark");
	if (errno)
		return err_sys(e, "layer %.19s", l->diff_id);
	errno = -file_replace(dir, mark_name(l->diff_id, l->form).s, text.p, text.len, 0600,
			      FILE_DURABLE);
	return errno ? err_sys(e, "layer %.19s", l->diff_id) : 0;
}

static int commit(struct store *s, struct stage *st, const struct layer *l, bool replace,
		  struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_fd int dir = -1;
	struct layer have;

	if (sync_data(st, l) < 0)
		return err_sys(e, "layer %.19s", l->diff_id);
	dir = store_dir(s, "layers", e);
	if (dir < 0)
		return dir;
	/* Two commands may have made the same layer: one publishes, and nothing that is complete
	 * and maybe mounted is replaced unless it was found to be damaged. */
	if (flock(dir, LOCK_EX) < 0)
		return err_sys(e, "layer %.19s", l->diff_id);
	if (!replace &&
	    layer_find_form(s, l->diff_id, (enum layer_form)l->form, &a, &have, NULL) == 0)
		return 0;
	return publish(st, dir, l, e);
}

int layer_commit(struct store *s, struct stage *st, const struct layer *l, struct err *e)
{
	return commit(s, st, l, false, e);
}

int layer_replace(struct store *s, struct stage *st, const struct layer *l, struct err *e)
{
	return commit(s, st, l, true, e);
}

int layer_staged(const struct stage *st, const char *diff_id, enum layer_form form)
{
	int fd = openat(stage_fd(st), staged_name(diff_id, (int)form).s, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int layer_remove(const struct store *s, const char *diff_id, struct err *e)
{
	auto_fd int dir = store_dir(s, "layers", e);
	int r = dir;

	for (int form = 0; r >= 0 && form < LAYER_FORM_MAX_; form++)
		r = remove_form(dir, diff_id, form, e);
	return r < 0 ? r : 0;
}

int layer_remove_form(const struct store *s, const char *diff_id, enum layer_form form,
		      struct err *e)
{
	auto_fd int dir = store_dir(s, "layers", e);

	return dir < 0 ? dir : remove_form(dir, diff_id, (int)form, e);
}

const char *layer_form_name(int form)
{
	return form_names[form];
}

int layer_seal(struct store *s, struct layer *l, struct arena *a, struct err *e)
{
	auto_fd int fd = openat(s->root_fd, layer_name(l, a), O_RDONLY | O_CLOEXEC);
	auto_fd int dir = store_dir(s, "layers", e);
	auto_buf struct buf text = BUF_INIT(STORE_JSON_MAX);
	char digest[DIGEST_LEN + 1];
	int r;

	if (fd < 0 || dir < 0)
		return fd < 0 ? err_sys(e, "layer %.19s", l->diff_id) : dir;
	if (flock(dir, LOCK_EX) < 0)
		return err_sys(e, "layer %.19s", l->diff_id);
	r = verity_enable(fd, e);
	if (r < 0)
		return r;
	if (!verity_measure(fd, digest))
		return err_set(e, ERR_UNSUPPORTED, "the kernel does not tell the fs-verity digest");
	l->verity = arena_dup(a, digest);
	jbind_write(&table, l, &text);
	errno = -file_replace(dir, mark_name(l->diff_id, l->form).s, text.p, text.len, 0600,
			      FILE_DURABLE);
	return errno ? err_sys(e, "layer %.19s", l->diff_id) : 0;
}

const char *layer_name(const struct layer *l, struct arena *a)
{
	return arena_printf(a, "layers/%s", data_name(l->diff_id, l->form).s);
}

const char *layer_path(const struct store *s, const struct layer *l, struct arena *a)
{
	return arena_printf(a, "%s/%s", s->root, layer_name(l, a));
}
