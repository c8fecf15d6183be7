/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/image_pull.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/eventlog.h"
#include "engine/image_builtin.h"
#include "engine/image_fetch.h"
#include "engine/image_transfer.h"
#include "engine/signature_gate.h"
#include "fmt/reference.h"
#include "store/stage.h"
#include "store/store.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Under the name that the caller gives. */
static int record_as(const char *name, struct image_transfer *t, struct arena *a, struct err *e)
{
	const char *canonical = NULL;
	int r = reference_tagged(name, a, &canonical, e);

	if (r >= 0)
		arena_strs_add(a, &t->names, canonical);
	return r;
}

/* ---- registries ---- */

static int from_registry(struct store *s, const char *source, const struct image_pull_opts *o,
			 struct arena *a, struct image_pulled *out, struct err *e)
{
	struct image_transfer t = {.store = s, .source = source, .opts = o};
	struct image_fetch_source src = {.transport = "registry", .file = -1};
	struct reference ref;
	struct signature_gate gate;
	struct signature_gate_what what = {.transport = "docker", .ref = &ref};
	int r = reference_parse(source, a, &ref, e);

	if (r >= 0)
		r = signature_gate_open(o->signature_policy, &what, a, &gate, e);
	if (r < 0)
		return r;
	t.gate = &gate;
	src.host = ref.domain;
	src.repository = ref.path;
	t.parts = true;
	t.ref = ref.digest ? ref.digest : ref.tag;
	if (o->as)
		r = record_as(o->as, &t, a, e);
	else
		arena_strs_add(a, &t.names, reference_canonical(a, &ref));
	if (r < 0)
		return r;
	r = image_fetch_start(s, &src, &t.fetch, e);
	if (r < 0)
		return r;
	r = image_transfer(&t, a, out, e);
	image_fetch_stop(t.fetch);
	return r;
}

/* ---- files ---- */

/* A pipe, or what else cannot be read twice, is copied into the stage first. */
static int spool(int fd, struct stage *st, const char *name, struct err *e)
{
	auto_fd int copy =
	    openat(stage_fd(st), "spool", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	if (copy < 0)
		return err_sys(e, "cannot write to the store");
	n = fd_copy(fd, copy);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "cannot copy '%s' into the store", name);
	}
	return take_fd(&copy);
}

/* What a source calls an image, as a name: a reference, or a bare tag that needs a repository. */
static const char *name_for(const char *said, const char *repository, struct arena *a)
{
	struct reference ref;
	const char *name = said;

	if (!said || !*said)
		return NULL;
	if (!strchr(said, '/') && !strchr(said, ':') && repository)
		name = arena_printf(a, "%s:%s", repository, said);
	return reference_parse(name, a, &ref, NULL) < 0 ? NULL : reference_canonical(a, &ref);
}

/* "oci:/x/debian" tagged "12" becomes debian:12. */
static const char *repository_for(const char *path, struct arena *a)
{
	char *copy = arena_dup(a, path), *slash, *dot;
	struct reference ref;

	for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
		copy[n - 1] = '\0';
	slash = strrchr(copy, '/');
	copy = slash ? slash + 1 : copy;
	dot = strchr(copy, '.');
	if (dot)
		*dot = '\0';
	return reference_parse(copy, a, &ref, NULL) < 0 ? NULL : copy;
}

struct local {
	const char *transport, *path, *ref;
};

/* KIND:PATH[:REF].  A path may hold colons only where the part behind is no reference. */
static bool split_local(const char *source, struct arena *a, struct local *out)
{
	static const char *const kinds[] = {"oci", "oci-archive", "docker-archive", "dir"};
	char *path, *colon;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const char *rest = str_after(source, kinds[i]);

		if (!rest || *rest != ':')
			continue;
		path = arena_dup(a, rest + 1);
		*out = (struct local){.transport = kinds[i], .path = path};
		colon = strchr(path, ':');
		if (colon) {
			*colon = '\0';
			out->ref = colon[1] ? colon + 1 : NULL;
		}
		return true;
	}
	return false;
}

static int open_local(const struct local *l, struct stage *st, struct err *e)
{
	auto_fd int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool dir = streq(l->transport, "oci") || streq(l->transport, "dir");
	struct stat sb;

	if (fd < 0 || fstat(fd, &sb) < 0)
		return err_sys(e, "'%s'", l->path);
	if (dir != S_ISDIR(sb.st_mode))
		return err_set(e, ERR_USAGE, "'%s' is %sa directory", l->path, dir ? "not " : "");
	return dir || S_ISREG(sb.st_mode) ? take_fd(&fd) : spool(fd, st, l->path, e);
}

/* Tags are compared as they are, references by what they mean: "x" is "docker.io/library/x:latest".
 */
static bool means(const char *a, const char *b, struct arena *ar)
{
	struct reference ra, rb;

	if (!a || streq(a, b))
		return a != NULL;
	return (strchr(a, '/') || strchr(a, ':')) && reference_parse(a, ar, &ra, NULL) == 0 &&
	       reference_parse(b, ar, &rb, NULL) == 0 &&
	       streq(reference_canonical(ar, &ra), reference_canonical(ar, &rb));
}

static int match_item(struct image_fetch *f, const struct local *l, struct arena *a,
		      struct fetch_item *out, struct err *e)
{
	struct fetch_list list = {0};
	int r = image_fetch_list(f, a, &list, e);

	for (size_t i = 0; r >= 0 && i < list.images.n; i++) {
		const struct fetch_item *x = &list.images.v[i];

		if (list.images.n == 1 && !l->ref) {
			*out = *x;
			return 0;
		}
		if (l->ref && means(x->name, l->ref, a)) {
			*out = *x;
			return 0;
		}
	}
	if (r < 0)
		return r;
	if (!list.images.n)
		return err_set(e, ERR_NOT_FOUND, "it holds no image");
	/* Let the source say what is wrong, or resolve a digest. */
	*out = (struct fetch_item){.name = NULL, .ref = l->ref};
	return 0;
}

static int transfer_local(struct image_transfer *t, const struct local *l, int fd, struct arena *a,
			  struct image_pulled *out, struct err *e)
{
	struct image_fetch_source src = {.transport = l->transport, .file = fd};
	struct fetch_item item = {0};
	const char *name;
	int r = image_fetch_start(t->store, &src, &t->fetch, e);

	if (r < 0)
		return r;
	r = match_item(t->fetch, l, a, &item, e);
	if (r >= 0) {
		t->ref = item.ref;
		name = name_for(item.name ? item.name
				: l->ref  ? l->ref
					  : "latest",
				repository_for(l->path, a), a);
		if (t->opts->as)
			r = record_as(t->opts->as, t, a, e);
		else if (name)
			arena_strs_add(a, &t->names, name);
	}
	if (r >= 0)
		r = image_transfer(t, a, out, e);
	image_fetch_stop(t->fetch);
	return r;
}

static int from_local(struct store *s, const char *source, const struct local *l,
		      const struct image_pull_opts *o, struct arena *a, struct image_pulled *out,
		      struct err *e)
{
	struct image_transfer t = {.store = s, .source = source, .opts = o};
	struct signature_gate_what what = {.transport = l->transport, .path = l->path};
	auto_fd int fd = -1;
	struct signature_gate gate;
	struct stage *st = NULL;
	int r = signature_gate_open(o->signature_policy, &what, a, &gate, e);

	if (r >= 0)
		r = stage_new(s, &st, e);
	if (r >= 0)
		r = fd = open_local(l, st, e);
	if (r >= 0)
		r = transfer_local(&t, l, fd, a, out, e);
	stage_free(st);
	return r;
}

int image_pull_run(struct store *s, const char *source, const struct image_pull_opts *o,
		   struct arena *a, struct image_pulled *out, struct err *e)
{
	struct image_pulled done = {0};
	struct local l;
	int r;

	if (split_local(source, a, &l))
		r = from_local(s, source, &l, o, a, &done, e);
	else if (image_builtin_is(source))
		r = image_builtin_load(s, source, o, a, &done, e);
	else
		r = from_registry(s, source, o, a, &done, e);
	if (r < 0)
		return err_wrap(e, r, "pull '%.150s'", source);
	eventlog_thing(s, "image", "pull", source, source);
	*out = done;
	return 0;
}

/* ---- load ---- */

/* One entry per image; names that stand for the same one are given together. */
static int load_all(struct image_transfer *t, const struct fetch_list *list, struct arena *a,
		    struct image_loaded *out, struct err *e)
{
	int r = 0;

	out->v = arena_array(a, list->images.n, sizeof(*out->v));
	for (size_t i = 0; r >= 0 && i < list->images.n; i++) {
		const char *ref = list->images.v[i].ref;
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= streq(list->images.v[k].ref, ref);
		if (seen)
			continue;
		t->ref = ref;
		t->names = (struct strs){0};
		for (size_t k = i; k < list->images.n; k++) {
			const char *name = streq(list->images.v[k].ref, ref)
					       ? name_for(list->images.v[k].name, NULL, a)
					       : NULL;

			if (name)
				arena_strs_add(a, &t->names, name);
		}
		r = image_transfer(t, a, &out->v[out->n], e);
		out->n += r >= 0;
	}
	return r;
}

static int load_from(struct image_transfer *t, int fd, struct arena *a, struct image_loaded *out,
		     struct err *e)
{
	struct image_fetch_source src = {.transport = "archive", .file = fd};
	struct fetch_list list = {0};
	int r = image_fetch_start(t->store, &src, &t->fetch, e);

	if (r < 0)
		return r;
	r = image_fetch_list(t->fetch, a, &list, e);
	for (size_t i = 0; r >= 0 && i < list.images.n; i++)
		if (!list.images.v[i].ref)
			r = err_set(e, ERR_CORRUPT, "list of images without references");
	if (r >= 0 && !list.images.n)
		r = err_set(e, ERR_NOT_FOUND, "it holds no image");
	if (r >= 0)
		r = load_all(t, &list, a, out, e);
	image_fetch_stop(t->fetch);
	return r;
}

/* Which of the two forms it has is known only when it is read: both must be welcome. */
static int load_allowed(const char *name, const struct image_pull_opts *o, struct arena *a,
			struct err *e)
{
	static const char *const kinds[] = {"docker-archive", "oci-archive"};
	struct signature_gate gate;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < 2; i++)
		r = signature_gate_open(o->signature_policy,
					&(struct signature_gate_what){kinds[i], NULL, name}, a,
					&gate, e);
	return r;
}

int image_pull_load(struct store *s, int fd, const char *name, const struct image_pull_opts *o,
		    struct arena *a, struct image_loaded *out, struct err *e)
{
	struct image_transfer t = {.store = s, .source = name, .opts = o};
	struct image_loaded done = {0};
	auto_fd int copy = -1;
	struct stage *st = NULL;
	struct stat sb;
	int r = load_allowed(name, o, a, e);

	if (r >= 0)
		r = stage_new(s, &st, e);
	if (r >= 0 && fstat(fd, &sb) < 0)
		r = err_sys(e, "'%s'", name);
	else if (r >= 0 && S_ISDIR(sb.st_mode))
		r = err_set(e, ERR_USAGE, "'%s' is a directory (load reads archives)", name);
	if (r >= 0 && !S_ISREG(sb.st_mode))
		r = copy = spool(fd, st, name, e);
	if (r >= 0)
		r = load_from(&t, copy >= 0 ? copy : fd, a, &done, e);
	stage_free(st);
	if (r < 0)
		return err_wrap(e, r, "load '%.150s'", name);
	for (size_t i = 0; i < done.n; i++)
		eventlog_thing(s, "image", "load", done.v[i].id, done.v[i].id);
	*out = done;
	return 0;
}
