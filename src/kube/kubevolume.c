/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kubevolume.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/session.h"
#include "engine/volume_ctl.h"
#include "kube/kubeenv.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE_FILE 0644

/* ---- hostPath ---- */

static int no_such(const struct kubemap *m, const struct kubespec_volume *v, struct err *e)
{
	return err_set(e, ERR_NOT_FOUND, "pod %s: hostPath '%.200s' is no %s", m->name,
		       v->host_path->path, v->host_path->type);
}

/* Type "" asks for nothing; the mount says what is wrong. */
static int host_path(const struct kubemap *m, const struct kubespec_volume *v, struct err *e)
{
	const char *path = v->host_path->path, *type = v->host_path->type ? v->host_path->type : "";
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat st;

	if (streq(type, "DirectoryOrCreate"))
		fd = path_mkdirs(root, path, 0755, PATH_IN_ROOT);
	if (streq(type, "FileOrCreate"))
		fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, MODE_FILE);
	if (streq(type, "DirectoryOrCreate") || streq(type, "FileOrCreate")) {
		errno = fd < -1 ? -fd : errno;
		if (fd < 0)
			return err_sys(e, "pod %s: hostPath '%.200s'", m->name, path);
	}
	if (!*type)
		return 0;
	if (stat(path, &st) < 0)
		return no_such(m, v, e);
	if ((str_after(type, "Directory") && !S_ISDIR(st.st_mode)) ||
	    (str_after(type, "File") && !S_ISREG(st.st_mode)) ||
	    (streq(type, "Socket") && !S_ISSOCK(st.st_mode)) ||
	    (streq(type, "CharDevice") && !S_ISCHR(st.st_mode)) ||
	    (streq(type, "BlockDevice") && !S_ISBLK(st.st_mode)))
		return no_such(m, v, e);
	return 0;
}

/* ---- named volumes ---- */

/* Open its directory of files. */
static int make(struct session *s, const char *name, const struct strs *labels, struct arena *a,
		struct err *e)
{
	struct volume v = {.name = name, .labels = *labels};
	const char *made, *path;
	int fd, r = volume_ctl_create(s, &v, a, &made, e);

	if (r < 0)
		return r;
	path = arena_printf(a, "volumes/%s/_data", name);
	fd = openat(store_root_fd(s->store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "volume '%s'", name) : fd;
}

static int write_item(int dir, const char *path, const char *data, size_t len, mode_t mode,
		      struct err *e)
{
	auto_fd int parent = -1, fd = -1;
	const char *base;
	int r = parent = path_parent(dir, path, 0755, PATH_NO_LINKS, &base);

	if (r >= 0) {
		fd = path_open(parent, base, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode,
			       PATH_NO_LINKS);
		r = fd < 0 ? fd : fd_write_all(fd, data, len);
	}
	/* Not what the umask left of it. */
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r < 0) {
		errno = -r;
		return err_sys(e, "file '%.100s' of a volume", path);
	}
	return 0;
}

/* A value with its bytes.  1: found. */
static int bytes_of(const struct kubespec_object *o, const char *key, struct arena *a,
		    const char **data, size_t *len, struct err *e)
{
	bool secret = streq(o->kind, "Secret");
	const char *plain = jbind_lookup(&o->string_data, key), *coded;

	if (!plain && !secret)
		plain = jbind_lookup(&o->data, key);
	if (plain) {
		*data = plain;
		*len = strlen(plain);
		return 1;
	}
	coded = jbind_lookup(secret ? &o->data : &o->binary, key);
	if (!coded)
		return 0;
	*data = kubeenv_decode(coded, a, len);
	return *data ? 1
		     : err_set(e, ERR_CORRUPT, "%s %s: %.60s is not base64", o->kind, o->meta.name,
			       key);
}

struct filling {
	const struct kubemap *m;
	const struct kubespec_object *o;
	const struct kubespec_source *src;
	int dir;
};

static int put(const struct filling *f, const struct kubespec_item *item, struct err *e)
{
	mode_t mode = item->mode.set	 ? (mode_t)item->mode.v & 0777
		      : f->src->mode.set ? (mode_t)f->src->mode.v & 0777
					 : MODE_FILE;
	const char *data = NULL;
	size_t len = 0;
	int r;

	if (!item->key || !kubedoc_is_inside(item->path))
		return err_set(
		    e, ERR_USAGE,
		    "pod %s: a volume's item has a key and a relative path without '..', "
		    "not '%.80s'",
		    f->m->name, item->path ? item->path : "");
	r = bytes_of(f->o, item->key, f->m->a, &data, &len, e);
	if (r == 0 && !f->src->optional)
		return err_set(e, ERR_NOT_FOUND, "pod %s: %s %s has no key '%.60s'", f->m->name,
			       f->o->kind, f->o->meta.name, item->key);
	return r > 0 ? write_item(f->dir, item->path, data, len, mode, e) : r;
}

static int put_all(const struct filling *f, struct err *e)
{
	const struct jbind_map *maps[] = {&f->o->data, &f->o->string_data, &f->o->binary};
	int r = 0;

	for (size_t k = 0; k < 3; k++)
		for (size_t i = 0; r == 0 && i < maps[k]->n; i++) {
			const struct kubespec_item item = {.key = maps[k]->v[i].key,
							   .path = maps[k]->v[i].key};

			r = put(f, &item, e);
		}
	return r;
}

static int fill(const struct kubemap *m, const struct kubespec_volume *v, int dir, struct err *e)
{
	const struct kubespec_source *src = v->config_map ? v->config_map : v->secret;
	const char *kind = v->config_map ? "ConfigMap" : "Secret",
		   *name = v->config_map ? src->name : src->secret_name;
	struct filling f = {.m = m, .o = kubedoc_find(m->doc, kind, name), .src = src, .dir = dir};
	int r = 0;

	if (!f.o)
		return src->optional
			   ? 0
			   : err_set(e, ERR_NOT_FOUND, "pod %s: no %s '%.60s' in what was given",
				     m->name, kind, name);
	if (!src->items.n)
		return put_all(&f, e);
	for (size_t i = 0; r == 0 && i < src->items.n; i++)
		r = put(&f, &src->items.v[i], e);
	return r;
}

/* Directories that mounts name by subPath are there before the mount, as a kubelet makes them. */
static int sub_paths(const struct kubemap *m, const struct kubespec_volume *v, int dir,
		     struct err *e)
{
	const struct kubespec_containers *lists[] = {&m->spec->init, &m->spec->containers};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->n; i++)
			for (size_t j = 0; j < lists[k]->v[i].mounts.n; j++) {
				const struct kubespec_mount *at = &lists[k]->v[i].mounts.v[j];
				int fd;

				if (!streq(at->name, v->name) || !at->sub_path || !*at->sub_path)
					continue;
				fd = path_open(dir, at->sub_path, O_PATH, 0, PATH_BENEATH);
				if (fd == -ENOENT)
					fd = path_mkdirs(dir, at->sub_path, 0755, PATH_NO_LINKS);
				errno = fd < 0 ? -fd : 0;
				if (fd < 0)
					return err_sys(e, "pod %s: subPath '%.80s'", m->name,
						       at->sub_path);
				close(fd);
			}
	return 0;
}

/* There, whoever made it: its directory, or -ENOENT. */
static int existing(struct session *s, const char *name, struct arena *a)
{
	const char *path = arena_printf(a, "volumes/%s/_data", name);
	int fd = openat(store_root_fd(s->store), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static const char *kind_of(const struct kubespec_volume *v, struct arena *a)
{
	return v->config_map ? arena_printf(a, "ConfigMap/%s", v->config_map->name)
	       : v->secret   ? arena_printf(a, "Secret/%s", v->secret->secret_name)
			     : "emptyDir";
}

static int named(struct session *s, const struct kubemap *m, const struct kubespec_volume *v,
		 struct err *e)
{
	struct strs labels = {0};
	auto_fd int dir = -1;
	int r;

	/* A claim without an object here is a volume of that name. */
	if (v->claim)
		dir = existing(s, kubemap_volume(m, v), m->a);
	if (!v->claim) {
		arena_strs_add(m->a, &labels, arena_printf(m->a, KUBEVOLUME_POD "=%s", m->name));
		arena_strs_add(m->a, &labels,
			       arena_printf(m->a, KUBEVOLUME_KIND "=%s", kind_of(v, m->a)));
	}
	if (dir < 0)
		dir = make(s, kubemap_volume(m, v), &labels, m->a, e);
	r = dir < 0 ? dir : 0;
	if (r == 0 && (v->config_map || v->secret))
		r = fill(m, v, dir, e);
	if (r == 0 && v->empty_dir && fchmod(dir, 0777) < 0)
		r = err_sys(e, "volume '%s'", kubemap_volume(m, v));
	return r < 0 ? r : sub_paths(m, v, dir, e);
}

int kubevolume_make(struct session *s, const struct kubemap *m, struct err *e)
{
	struct store *store;
	int r = session_store(s, &store, e);

	for (size_t i = 0; r == 0 && i < m->spec->volumes.n; i++) {
		const struct kubespec_volume *v = &m->spec->volumes.v[i];
		bool memory =
		    v->empty_dir && v->empty_dir->medium && streq(v->empty_dir->medium, "Memory");

		if (v->host_path)
			r = host_path(m, v, e);
		else if (!memory)
			r = named(s, m, v, e);
	}
	return r;
}

int kubevolume_claim(struct session *s, const struct kubespec_object *o, struct arena *a,
		     struct err *e)
{
	struct strs labels = {0};
	int r = existing(s, o->meta.name, a);

	if (r >= 0) {
		close(r);
		return 0;
	}
	for (size_t i = 0; i < o->meta.labels.n; i++)
		arena_strs_add(
		    a, &labels,
		    arena_printf(a, "%s=%s", o->meta.labels.v[i].key, o->meta.labels.v[i].value));
	arena_strs_add(a, &labels,
		       arena_printf(a, KUBEMAP_OBJECT "=PersistentVolumeClaim/%s", o->meta.name));
	r = make(s, o->meta.name, &labels, a, e);
	if (r >= 0)
		close(r);
	return r < 0 ? r : 0;
}

int kubevolume_remove(struct session *s, const char *pod, struct arena *a, struct err *e)
{
	struct strs filters = {0};
	struct volumes l;
	int r;

	arena_strs_add(a, &filters, arena_printf(a, "label=" KUBEVOLUME_POD "=%s", pod));
	r = volume_ctl_list(s, &filters, a, &l, e);
	for (size_t i = 0; r == 0 && i < l.n; i++)
		r = volume_ctl_remove(s, l.v[i].name, true, e);
	return r;
}
