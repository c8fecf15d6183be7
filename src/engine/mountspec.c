/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mountspec.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/request.h"
#include "spec/plan.h"
#include "store/instance.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct spec {
	const struct request *q;
	const char *root;
	struct arena *a;
	struct instance_mounts out;
};

/* "/a//b/../c/" to "/a/c".  NULL for what is not absolute, leads to "/" or is too long. */
static const char *clean(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, strlen(path) + 2);
	size_t n = 0;

	if (*path != '/' || strlen(path) >= PATH_MAX)
		return NULL;
	while (*(path += strspn(path, "/"))) {
		size_t len = strcspn(path, "/");

		if (len == 2 && path[0] == '.' && path[1] == '.') {
			while (n && out[n - 1] != '/')
				n--;
			n -= n > 0;
		} else if (!(len == 1 && *path == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len;
	}
	out[n] = '\0';
	return n ? out : NULL;
}

static struct instance_mount *add(struct spec *s, const char *destination, const char *said,
				  struct err *e)
{
	const char *d = clean(s->a, destination);
	struct instance_mount *v;

	if (!d) {
		err_set(e, ERR_USAGE,
			"invalid mount '%.120s': the destination is an absolute path and not '/'",
			said);
		return NULL;
	}
	for (size_t i = 0; i < s->out.n; i++)
		if (streq(s->out.v[i].destination, d)) {
			err_set(e, ERR_USAGE, "duplicate mount point: %.120s", d);
			return NULL;
		}
	v = arena_array(s->a, s->out.n + 1, sizeof(*v));
	if (s->out.n)
		memcpy(v, s->out.v, s->out.n * sizeof(*v));
	s->out.v = v;
	v = &v[s->out.n++];
	*v = (struct instance_mount){.destination = d};
	return v;
}

static void use_volume(struct spec *s, struct instance_mount *m, const char *name)
{
	char id[INSTANCE_ID + 1];

	m->type = "volume";
	m->anonymous = !name;
	if (!name)
		instance_new_id(id);
	m->name = name ? name : arena_dup(s->a, id);
	m->source = arena_printf(s->a, "%s/volumes/%s/_data", s->root, m->name);
}

/* ---- the options of -v ---- */

enum class { ACCESS, RELABEL, COPY, OWNER, PROPAGATION, CONSISTENCY, FLAG, CLASS_MAX_ };

static const struct word {
	const char *name;
	enum class class;
	const char *option; /* what the record says; NULL: nothing */
} words[] = {
    {"ro", ACCESS, "ro"},
    {"readonly", ACCESS, "ro"},
    {"rw", ACCESS, NULL},
    /* They relabel for SELinux; the engine sets no labels, so there is nothing to relabel for. */
    {"z", RELABEL, NULL},
    {"Z", RELABEL, NULL},
    {"nocopy", COPY, "nocopy"},
    {"U", OWNER, "chown"},
    {"private", PROPAGATION, "private"},
    {"rprivate", PROPAGATION, "rprivate"},
    {"shared", PROPAGATION, "shared"},
    {"rshared", PROPAGATION, "rshared"},
    {"slave", PROPAGATION, "slave"},
    {"rslave", PROPAGATION, "rslave"},
    /* Of docker for other systems, where files are not the same at once on both sides, as in a VM
     * here; the others are a VM's default. */
    {"consistent", CONSISTENCY, "consistent"},
    {"cached", CONSISTENCY, NULL},
    {"delegated", CONSISTENCY, NULL},
    {"default", CONSISTENCY, NULL},
    {"nosuid", FLAG, "nosuid"},
    {"nodev", FLAG, "nodev"},
    {"noexec", FLAG, "noexec"},
};

static int wrong(const char *said, const char *why, const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE, "invalid mount '%.120s': %s '%.60s'", said, why, what);
}

static int propagate(struct spec *s, const char *word, const char *said, struct err *e)
{
	if (s->q->isolation == PLAN_VM && !strstr(word, "private"))
		return err_set(
		    e, ERR_UNSUPPORTED,
		    "mount '%.120s': '%s' is not possible with --isolation vm: mounts do "
		    "not travel between kernels",
		    said, word);
	return 0;
}

static int option(struct spec *s, struct instance_mount *m, const char *o, bool seen[CLASS_MAX_],
		  const char *said, struct err *e)
{
	const struct word *w = words, *end = words + sizeof(words) / sizeof(words[0]);

	while (w < end && !streq(w->name, o))
		w++;
	if (w == end)
		return wrong(said, "unknown option", o, e);
	if (w->class != FLAG && seen[w->class])
		return wrong(said, "one too many of a kind:", o, e);
	seen[w->class] = true;
	if (streq(m->type, "bind") ? w->class == COPY : w->class == PROPAGATION)
		return wrong(said,
			     streq(m->type, "bind") ? "for a volume and not a host path:"
						    : "for a host path and not a volume:",
			     o, e);
	if (w->option && (w->class != CONSISTENCY || s->q->isolation == PLAN_VM))
		arena_strs_add(s->a, &m->options, w->option);
	return w->class == PROPAGATION ? propagate(s, o, said, e) : 0;
}

/* Its owners are changed from inside, through the mount itself. */
static int writable(const struct instance_mount *m, const char *said, struct err *e)
{
	bool ro = false, owner = false;

	for (size_t i = 0; i < m->options.n; i++) {
		ro |= streq(m->options.v[i], "ro");
		owner |= streq(m->options.v[i], "chown");
	}
	return ro && owner ? wrong(said, "read-only conflicts with", "U", e) : 0;
}

static int options(struct spec *s, struct instance_mount *m, const char *list, const char *said,
		   struct err *e)
{
	bool seen[CLASS_MAX_] = {false};

	m->mode = list;
	while (list && *list) {
		size_t n = strcspn(list, ",");
		int r = option(s, m, arena_dupn(s->a, list, n), seen, said, e);

		if (r < 0)
			return r;
		list += n + (list[n] == ',');
	}
	return writable(m, said, e);
}

static int one_volume(struct spec *s, const char *said, struct err *e)
{
	const char *colon = strchr(said, ':'), *second, *source = NULL, *dest = said;
	struct instance_mount *m;

	second = colon ? strchr(colon + 1, ':') : NULL;
	if (colon) {
		source = arena_dupn(s->a, said, (size_t)(colon - said));
		dest =
		    second ? arena_dupn(s->a, colon + 1, (size_t)(second - colon - 1)) : colon + 1;
	}
	if (colon && !*source)
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': empty source", said);
	m = add(s, dest, said, e);
	if (!m)
		return -EINVAL;
	if (source && *source == '/') {
		m->type = "bind";
		m->source = clean(s->a, source) ?: "/";
	} else if (source && instance_check_name(source, NULL) < 0) {
		return err_set(e, ERR_USAGE,
			       "invalid mount '%.120s': the source is an absolute path or the name "
			       "of a volume",
			       said);
	} else {
		use_volume(s, m, source);
	}
	return options(s, m, second ? second + 1 : NULL, said, e);
}

/* ---- --mount ---- */

#define TYPES 4

struct parts {
	const char *type, *source, *target, *propagation, *recursive, *mode, *subpath, *consistency;
	uint64_t size;
	bool ro, nocopy, nonrecursive, owner;
	const char *of[TYPES]; /* a key that only this type takes */
};
enum { OF_BIND, OF_VOLUME, OF_TMPFS, OF_IMAGE };
static const char *const types[TYPES] = {"bind", "volume", "tmpfs", "image"};

static bool truth(const char *v, bool *out)
{
	if (!v || streq(v, "true") || streq(v, "1"))
		*out = true;
	else if (streq(v, "false") || streq(v, "0"))
		*out = false;
	else
		return false;
	return true;
}

static bool one_of(const char *v, const char *const *list, const char **out)
{
	for (; *list; list++)
		if (streq(*list, v))
			*out = *list;
	return *out != NULL;
}

static bool bind_part(struct parts *p, const char *key, const char *v)
{
	static const char *const propagation[] = {"private", "rprivate", "shared", "rshared",
						  "slave",   "rslave",	 NULL};
	static const char *const recursive[] = {"enabled", "disabled", "writable", "readonly",
						NULL};

	if (streq(key, "bind-nonrecursive"))
		return truth(v, &p->nonrecursive);
	if (streq(key, "bind-recursive"))
		return v && one_of(v, recursive, &p->recursive);
	return streq(key, "bind-propagation") && v && one_of(v, propagation, &p->propagation);
}

static bool tmpfs_part(struct parts *p, const char *key, const char *v)
{
	if (streq(key, "tmpfs-size"))
		return v && opt_parse_bytes(v, &p->size) == 0;
	p->mode = v;
	return streq(key, "tmpfs-mode") && v && *v && strlen(v) <= 5 &&
	       v[strspn(v, "01234567")] == '\0';
}

/* Relative and without "..".  Links in the volume are the mounter's business (runtime/mounts.c). */
static bool inside(const char *path)
{
	if (!*path || *path == '/' || strlen(path) >= PATH_MAX)
		return false;
	for (; *path; path += strspn(path, "/")) {
		size_t n = strcspn(path, "/");

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return false;
		path += n;
	}
	return true;
}

static bool one_part(struct parts *p, const char *key, const char *v)
{
	static const char *const consistency[] = {"default", "consistent", "cached", "delegated",
						  NULL};

	for (int i = 0; i < TYPES; i++) {
		const char *rest = str_after(key, types[i]);

		if (rest && *rest == '-')
			p->of[i] = key;
	}
	if (streq(key, "readonly") || streq(key, "ro"))
		return truth(v, &p->ro);
	if (streq(key, "U") || streq(key, "chown"))
		return truth(v, &p->owner);
	if (streq(key, "volume-nocopy"))
		return truth(v, &p->nocopy);
	if (streq(key, "volume-subpath") || streq(key, "image-subpath")) {
		p->subpath = v;
		return v && inside(v);
	}
	if (p->of[OF_BIND] == key)
		return bind_part(p, key, v);
	if (p->of[OF_TMPFS] == key)
		return tmpfs_part(p, key, v);
	if (!v || !*v)
		return false;
	if (streq(key, "type"))
		p->type = v;
	else if (streq(key, "source") || streq(key, "src"))
		p->source = v;
	else if (streq(key, "target") || streq(key, "dst") || streq(key, "destination"))
		p->target = v;
	else
		return streq(key, "consistency") && one_of(v, consistency, &p->consistency);
	return true;
}

/* bind-recursive and its older form: which of the mounts below the source come along, and how. */
static int recursion(struct spec *s, const struct parts *p, struct instance_mount *m,
		     const char *said, struct err *e)
{
	const char *how = p->recursive ? p->recursive : p->nonrecursive ? "disabled" : "enabled";

	if (p->recursive && p->nonrecursive && !streq(how, "disabled"))
		return wrong(said, "bind-nonrecursive and bind-recursive", how, e);
	if (streq(how, "enabled"))
		return 0;
	if (s->q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "mount '%.120s': bind-recursive=%s is not possible with --isolation "
			       "vm: a directory is shared with all that lies in it",
			       said, how);
	if (!streq(how, "disabled") && !p->ro)
		return wrong(said, "without readonly it means nothing: bind-recursive", how, e);
	if (streq(how, "readonly") && !(p->propagation && streq(p->propagation, "rprivate")))
		return wrong(said, "bind-recursive=readonly wants", "bind-propagation=rprivate", e);
	arena_strs_add(s->a, &m->options, arena_printf(s->a, "recursive=%s", how));
	return 0;
}

static int mount_bind(struct spec *s, const struct parts *p, struct instance_mount *m,
		      const char *said, struct err *e)
{
	int r;

	m->type = "bind";
	if (!p->source || *p->source != '/')
		return err_set(e, ERR_USAGE,
			       "invalid mount '%.120s': type=bind wants an absolute source", said);
	m->source = clean(s->a, p->source) ?: "/";
	/* Unlike -v, --mount makes no directory on the host. */
	if (access(m->source, F_OK) < 0)
		return err_sys(e, "invalid mount '%.120s': source", said);
	r = recursion(s, p, m, said, e);
	if (r < 0 || !p->propagation)
		return r;
	arena_strs_add(s->a, &m->options, p->propagation);
	return propagate(s, p->propagation, said, e);
}

static int mount_tmpfs(struct spec *s, const struct parts *p, struct instance_mount *m,
		       const char *said, struct err *e)
{
	m->type = "tmpfs";
	if (p->source)
		return wrong(said, "type=tmpfs has no source:", p->source, e);
	if (p->size)
		arena_strs_add(s->a, &m->options,
			       arena_printf(s->a, "size=%llu", (unsigned long long)p->size));
	if (p->mode)
		arena_strs_add(s->a, &m->options, arena_printf(s->a, "mode=%s", p->mode));
	return 0;
}

static int mount_image(struct spec *s, const struct parts *p, struct instance_mount *m,
		       const char *said, struct err *e)
{
	if (!p->source)
		return err_set(e, ERR_USAGE,
			       "invalid mount '%.120s': type=image wants a source, the image",
			       said);
	if (s->q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "mount '%.120s': type=image is not possible with --isolation vm: a "
			       "machine has one image disk; copy what is needed into a volume",
			       said);
	m->type = "image";
	m->source = p->source;
	m->subpath = p->subpath;
	if (!p->ro) /* it always is */
		arena_strs_add(s->a, &m->options, "ro");
	return 0;
}

static int read_parts(struct spec *s, const char *said, struct parts *p, struct err *e)
{
	for (const char *at = said; *at;) {
		size_t n = strcspn(at, ",");
		char *part = arena_dupn(s->a, at, n), *eq = strchr(part, '=');

		if (eq)
			*eq++ = '\0';
		if (!one_part(p, part, eq))
			return wrong(said, "unknown, or a wrong value:", part, e);
		at += n + (at[n] == ',');
	}
	if (!p->target)
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': no target", said);
	for (int i = 0; i < TYPES; i++)
		if (p->of[i] && !streq(types[i], p->type))
			return wrong(said, "not for this type:", p->of[i], e);
	return 0;
}

static int one_mount(struct spec *s, const char *said, struct err *e)
{
	struct parts p = {.type = "volume"};
	struct instance_mount *m;
	int r = read_parts(s, said, &p, e);

	if (r < 0)
		return r;
	m = add(s, p.target, said, e);
	if (!m)
		return -EINVAL;
	if (p.ro)
		arena_strs_add(s->a, &m->options, "ro");
	if (p.nocopy)
		arena_strs_add(s->a, &m->options, "nocopy");
	if (p.owner && !streq(p.type, "bind") && !streq(p.type, "volume"))
		return wrong(said, "not for this type:", "U", e);
	if (p.owner)
		arena_strs_add(s->a, &m->options, "chown");
	r = writable(m, said, e);
	if (r < 0)
		return r;
	if (p.consistency && streq(p.consistency, "consistent") && s->q->isolation == PLAN_VM)
		arena_strs_add(s->a, &m->options, "consistent");
	if (streq(p.type, "bind"))
		return mount_bind(s, &p, m, said, e);
	if (streq(p.type, "tmpfs"))
		return mount_tmpfs(s, &p, m, said, e);
	if (streq(p.type, "image"))
		return mount_image(s, &p, m, said, e);
	if (!streq(p.type, "volume"))
		return wrong(said, "unknown type", p.type, e);
	if (p.source && instance_check_name(p.source, NULL) < 0)
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': bad volume name", said);
	use_volume(s, m, p.source);
	m->subpath = p.subpath;
	return 0;
}

/* Options of mount(8) that make sense for a tmpfs: a misspelt one is found before anything is made
 * and not by the kernel. */
static bool tmpfs_knows(const char *o)
{
	static const char *const flags[] = {
	    "ro",    "rw",	   "exec",    "noexec",	     "suid",	 "nosuid",    "dev",
	    "nodev", "atime",	   "noatime", "diratime",    "sync",	 "relatime",  "norelatime",
	    "async", "nodiratime", "dirsync", "strictatime", "defaults", "tmpcopyup", NULL};
	static const char *const keys[] = {
	    "size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "huge=", "mpol=", NULL};
	const char *rest;

	for (const char *const *k = flags; *k; k++)
		if (streq(*k, o))
			return true;
	for (const char *const *k = keys; *k; k++)
		if ((rest = str_after(o, *k)) && *rest)
			return true;
	return false;
}

/* --tmpfs DST[:OPTIONS], the options being those of mount(8). */
static int one_tmpfs(struct spec *s, const char *said, struct err *e)
{
	const char *colon = strchr(said, ':'), *list = colon ? colon + 1 : "";
	struct instance_mount *m;

	m = add(s, colon ? arena_dupn(s->a, said, (size_t)(colon - said)) : said, said, e);
	if (!m)
		return -EINVAL;
	m->type = "tmpfs";
	while (*list) {
		size_t n = strcspn(list, ",");
		const char *o = arena_dupn(s->a, list, n);

		if (!tmpfs_knows(o))
			return err_set(e, ERR_USAGE,
				       "invalid --tmpfs '%.120s': unknown option '%.40s'", said, o);
		arena_strs_add(s->a, &m->options, o);
		list += n + (list[n] == ',');
	}
	return 0;
}

/* ---- --volumes-from ---- */

static bool taken(const struct spec *s, const char *destination)
{
	for (size_t k = 0; k < s->out.n; k++)
		if (streq(s->out.v[k].destination, destination))
			return true;
	return false;
}

/* One mount of another instance: as that has it, but that an empty volume is not filled again. */
static int take_over(struct spec *s, const struct instance_mount *from, bool ro, const char *said,
		     struct err *e)
{
	bool volume = streq(from->type, "volume"), has_ro = false;
	struct instance_mount *m;

	if (streq(from->type, "tmpfs") || taken(s, from->destination))
		return 0;
	m = add(s, from->destination, said, e);
	if (!m)
		return -EINVAL;
	if (streq(from->type, "image") && s->q->isolation == PLAN_VM)
		return err_set(e, ERR_UNSUPPORTED,
			       "--volumes-from '%.120s': the mount of an image at '%.120s' is not "
			       "possible with --isolation vm",
			       said, m->destination);
	m->type = from->type;
	m->name = from->name;
	m->source = from->source;
	m->subpath = from->subpath;
	m->anonymous = from->anonymous;
	for (size_t i = 0; i < from->options.n; i++) {
		const char *o = from->options.v[i];

		if (s->q->isolation == PLAN_VM &&
		    (strstr(o, "shared") || strstr(o, "slave") || str_after(o, "recursive=")))
			return err_set(e, ERR_UNSUPPORTED,
				       "--volumes-from '%.120s': '%s' of the mount at '%.120s' is "
				       "not possible with --isolation vm",
				       said, o, m->destination);
		has_ro |= streq(o, "ro");
		if (!streq(o, "nocopy") && !streq(o, "chown"))
			arena_strs_add(s->a, &m->options, o);
	}
	if (ro && !has_ro)
		arena_strs_add(s->a, &m->options, "ro");
	if (volume)
		arena_strs_add(s->a, &m->options, "nocopy");
	return 0;
}

static int volumes_from(struct spec *s, const char *said, int root_fd, struct err *e)
{
	const char *colon = strrchr(said, ':'), *mode = colon ? colon + 1 : "rw";
	const char *name = colon ? arena_dupn(s->a, said, (size_t)(colon - said)) : said;
	struct instance i;
	int r;

	if (!*name ||
	    (!streq(mode, "rw") && !streq(mode, "ro") && !streq(mode, "z") && !streq(mode, "Z")))
		return err_set(e, ERR_USAGE,
			       "invalid --volumes-from '%.120s': INSTANCE, INSTANCE:ro or "
			       "INSTANCE:rw",
			       said);
	r = instance_find(root_fd, name, s->a, &i, e);
	if (r < 0)
		return err_wrap(e, r, "--volumes-from");
	for (size_t k = 0; r == 0 && k < i.mounts.n; k++)
		r = take_over(s, &i.mounts.v[k], streq(mode, "ro"), said, e);
	return r;
}

static int image_volumes(struct spec *s, const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *d = clean(s->a, l->v[i]);
		struct instance_mount *m;

		if (d && taken(s, d))
			continue;
		m = add(s, l->v[i], l->v[i], e);
		if (!m)
			return -EINVAL;
		use_volume(s, m, NULL);
	}
	return 0;
}

static size_t depth(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

/* Insertion, because it keeps the order of equals and lists are short. */
static void sort(struct instance_mounts *l)
{
	for (size_t i = 1; i < l->n; i++) {
		struct instance_mount m = l->v[i];
		size_t k = i;

		for (; k && depth(l->v[k - 1].destination) > depth(m.destination); k--)
			l->v[k] = l->v[k - 1];
		l->v[k] = m;
	}
}

int mountspec_list(const struct request *q, const struct strs *volumes, int root_fd,
		   const char *root, struct arena *a, struct instance_mounts *out, struct err *e)
{
	struct spec s = {.q = q, .root = root, .a = a};
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->volumes.n; i++)
		r = one_volume(&s, q->volumes.v[i], e);
	for (size_t i = 0; r == 0 && i < q->mounts.n; i++)
		r = one_mount(&s, q->mounts.v[i], e);
	for (size_t i = 0; r == 0 && i < q->tmpfs.n; i++)
		r = one_tmpfs(&s, q->tmpfs.v[i], e);
	for (size_t i = q->volumes_from.n; r == 0 && i > 0; i--)
		r = volumes_from(&s, q->volumes_from.v[i - 1], root_fd, e);
	if (r == 0)
		r = image_volumes(&s, volumes, e);
	if (r < 0)
		return r;
	sort(&s.out);
	*out = s.out;
	return 0;
}
