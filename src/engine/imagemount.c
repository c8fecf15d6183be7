/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/imagemount.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "engine/imageroot.h"
#include "store/image.h"
#include "store/store.h"
#include "sys/fd.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

int imagemount_resolve(struct store *s, struct instance_mount *m, struct arena *a, struct err *e)
{
	struct image *i = NULL;
	int r = image_find(s, m->source, NULL, &i, e);

	if (r < 0)
		return err_wrap(e, r, "mount at '%s' (pull it first)", m->destination);
	m->name = arena_dup(a, i->record.id);
	image_close(i);
	return 0;
}

bool imagemount_uses(const struct instance_mounts *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->v[i].type, "image") && l->v[i].name && streq(l->v[i].name, id))
			return true;
	return false;
}

/* Links are an image author's: they lead inside. */
static int part_of(int root, const struct instance_mount *m, struct err *e)
{
	auto_fd int at = path_open(root, m->subpath, O_PATH, 0, PATH_IN_ROOT);
	int fd;

	if (at < 0) {
		errno = -at;
		return err_sys(e, "mount at '%s': '%s' of image '%s'", m->destination, m->subpath,
			       m->source);
	}
	fd = mountfd_clone(at, "", false);
	if (fd == -EINVAL) /* of a mount that is attached nowhere */
		return err_set(e, ERR_UNSUPPORTED, "mount at '%s': image-subpath needs Linux 6.15",
			       m->destination);
	errno = fd < 0 ? -fd : 0;
	return fd < 0 ? err_sys(e, "mount at '%s'", m->destination) : fd;
}

static int open_one(struct store *s, const struct instance_mount *m, struct arena *a, struct err *e)
{
	struct image *i = NULL;
	auto_fd int root = -1;
	int r = image_find_id(s, m->name, &i, e);

	if (r < 0)
		return err_wrap(e, r, "mount at '%s'", m->destination);
	root = imageroot_open(s, &i->record.layers, a, e);
	image_close(i);
	if (root < 0 || !m->subpath)
		return root < 0 ? root : take_fd(&root);
	return part_of(root, m, e);
}

int imagemount_open(struct store *s, const struct instance_mounts *l, struct arena *a,
		    struct imagemounts *out, struct err *e)
{
	struct imagemounts m = {.mounts = *l};

	m.fds = arena_array(a, l->n + 1, sizeof(*m.fds));
	m.mounts.v = arena_array(a, l->n + 1, sizeof(*m.mounts.v));
	if (l->n)
		memcpy(m.mounts.v, l->v, l->n * sizeof(*l->v));
	for (size_t i = 0; i < l->n; i++) {
		int fd;

		if (!streq(l->v[i].type, "image"))
			continue;
		fd = open_one(s, &l->v[i], a, e);
		if (fd < 0) {
			imagemount_close(&m);
			return fd;
		}
		m.fds[m.n++] = fd;
		m.mounts.v[i].source = arena_printf(a, "/proc/self/fd/%d", fd);
		m.mounts.v[i].subpath = NULL;
	}
	*out = m;
	return 0;
}

void imagemount_close(struct imagemounts *m)
{
	for (size_t i = 0; i < m->n; i++)
		fd_close(m->fds[i]);
	m->n = 0;
}
