/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/mountspec.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "engine/request.h"
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

static int option(struct spec *s, struct instance_mount *m, const char *o, const char *said,
		  struct err *e)
{
	static const char *const known[] = {
	    "ro",    "rw",     "nocopy", "rprivate", "private", "rshared", "shared",   "rslave",
	    "slave", "nosuid", "nodev",	 "noexec",   "z",	"Z",	   "readonly", NULL};

	for (const char *const *k = known; *k; k++) {
		if (!streq(*k, o))
			continue;
		/* z and Z relabel for SELinux; the engine sets no labels, so there is nothing to
		 * relabel for. */
		if (!streq(o, "z") && !streq(o, "Z") && !streq(o, "rw"))
			arena_strs_add(s->a, &m->options, streq(o, "readonly") ? "ro" : *k);
		return 0;
	}
	return err_set(e, ERR_USAGE, "invalid mount '%.120s': unknown option '%.40s'", said, o);
}

static int options(struct spec *s, struct instance_mount *m, const char *list, const char *said,
		   struct err *e)
{
	while (list && *list) {
		size_t n = strcspn(list, ",");
		int r = option(s, m, arena_dupn(s->a, list, n), said, e);

		if (r < 0)
			return r;
		list += n + (list[n] == ',');
	}
	return 0;
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

struct parts {
	const char *type, *source, *target, *propagation;
	uint64_t size;
	const char *mode;
	bool ro, nocopy;
};

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

static bool one_part(struct parts *p, const char *key, const char *v)
{
	if (streq(key, "readonly") || streq(key, "ro"))
		return truth(v, &p->ro);
	if (streq(key, "volume-nocopy"))
		return truth(v, &p->nocopy);
	if (!v || !*v)
		return false;
	if (streq(key, "type"))
		p->type = v;
	else if (streq(key, "source") || streq(key, "src"))
		p->source = v;
	else if (streq(key, "target") || streq(key, "dst") || streq(key, "destination"))
		p->target = v;
	else if (streq(key, "bind-propagation"))
		p->propagation = v;
	else if (streq(key, "tmpfs-mode") && v[strspn(v, "01234567")] == '\0')
		p->mode = v;
	else
		return streq(key, "tmpfs-size") && opt_parse_bytes(v, &p->size) == 0;
	return true;
}

static int mount_bind(struct spec *s, const struct parts *p, struct instance_mount *m,
		      const char *said, struct err *e)
{
	m->type = "bind";
	if (!p->source || *p->source != '/')
		return err_set(e, ERR_USAGE,
			       "invalid mount '%.120s': type=bind wants an absolute source", said);
	m->source = clean(s->a, p->source) ?: "/";
	/* Unlike -v, --mount makes no directory on the host. */
	if (access(m->source, F_OK) < 0)
		return err_sys(e, "invalid mount '%.120s': source", said);
	return p->propagation ? option(s, m, p->propagation, said, e) : 0;
}

static int one_mount(struct spec *s, const char *said, struct err *e)
{
	struct parts p = {.type = "volume"};
	struct instance_mount *m;
	const char *at = said;

	while (*at) {
		size_t n = strcspn(at, ",");
		char *part = arena_dupn(s->a, at, n), *eq = strchr(part, '=');

		if (eq)
			*eq++ = '\0';
		if (!one_part(&p, part, eq))
			return err_set(e, ERR_USAGE, "invalid mount '%.120s': '%.40s'", said, part);
		at += n + (at[n] == ',');
	}
	if (!p.target)
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': no target", said);
	m = add(s, p.target, said, e);
	if (!m)
		return -EINVAL;
	if (p.ro)
		arena_strs_add(s->a, &m->options, "ro");
	if (p.nocopy)
		arena_strs_add(s->a, &m->options, "nocopy");
	if (streq(p.type, "bind"))
		return mount_bind(s, &p, m, said, e);
	if (streq(p.type, "tmpfs")) {
		m->type = "tmpfs";
		if (p.size)
			arena_strs_add(s->a, &m->options,
				       arena_printf(s->a, "size=%llu", (unsigned long long)p.size));
		if (p.mode)
			arena_strs_add(s->a, &m->options, arena_printf(s->a, "mode=%s", p.mode));
		return 0;
	}
	if (!streq(p.type, "volume"))
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': unknown type '%.40s'", said,
			       p.type);
	if (p.source && instance_check_name(p.source, NULL) < 0)
		return err_set(e, ERR_USAGE, "invalid mount '%.120s': bad volume name", said);
	use_volume(s, m, p.source);
	return 0;
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

		arena_strs_add(s->a, &m->options, arena_dupn(s->a, list, n));
		list += n + (list[n] == ',');
	}
	return 0;
}

static int image_volumes(struct spec *s, const struct strs *l, struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *d = clean(s->a, l->v[i]);
		struct instance_mount *m;
		bool covered = false;

		for (size_t k = 0; d && k < s->out.n; k++)
			covered |= streq(s->out.v[k].destination, d);
		if (covered)
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

int mountspec_list(const struct request *q, const struct strs *volumes, const char *root,
		   struct arena *a, struct instance_mounts *out, struct err *e)
{
	struct spec s = {.q = q, .root = root, .a = a};
	int r = 0;

	for (size_t i = 0; r == 0 && i < q->volumes.n; i++)
		r = one_volume(&s, q->volumes.v[i], e);
	for (size_t i = 0; r == 0 && i < q->mounts.n; i++)
		r = one_mount(&s, q->mounts.v[i], e);
	for (size_t i = 0; r == 0 && i < q->tmpfs.n; i++)
		r = one_tmpfs(&s, q->tmpfs.v[i], e);
	if (r == 0)
		r = image_volumes(&s, volumes, e);
	if (r < 0)
		return r;
	sort(&s.out);
	*out = s.out;
	return 0;
}
