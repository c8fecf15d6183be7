/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/initramfs.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "sys/file.h"
#include "vmm/cpio.h"
#include "vmm/kernel.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX      (64u << 20)
#define INITRAMFS_MAX (128u << 20)

static int add_file(struct buf *out, const char *host, const char *guest, uint32_t mode,
		    struct err *e)
{
	auto_free char *data = NULL;
	ssize_t n = file_read(AT_FDCWD, host, FILE_MAX, &data);

	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "initramfs: %s", host);
	}
	cpio_file(out, guest, mode, data, (size_t)n);
	return 0;
}

struct group {
	const char *name;
	const struct strs *files;
};
#define GROUPS 4

static size_t groups_of(const struct initramfs_parts *parts, struct group g[GROUPS])
{
	const struct kernel *k = parts->kernel;
	size_t n = 0;

	g[n++] = (struct group){"boot", &k->modules.boot};
	g[n++] = (struct group){"late", &k->modules.late};
	if (parts->nics)
		g[n++] = (struct group){"net", &k->modules.net};
	if (parts->shares)
		g[n++] = (struct group){"share", &k->modules.share};
	return n;
}

static int add_modules(const struct initramfs_parts *parts, struct buf *out, struct err *e)
{
	const struct kernel *k = parts->kernel;
	auto_buf struct buf list = BUF_INIT(65536);
	struct group g[GROUPS];
	size_t count = groups_of(parts, g);
	int r;

	cpio_dir(out, "modules", 0755);
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < g[i].files->n; j++) {
			const char *file = g[i].files->v[j];
			auto_free char *host = NULL, *guest = NULL;

			if (strchr(file, '/'))
				return err_set(e, ERR_CORRUPT, "%s/kernel.json: module '%s'",
					       k->dir, file);
			if (asprintf(&host, "%s/modules/%s", k->dir, file) < 0 ||
			    asprintf(&guest, "modules/%s", file) < 0)
				abort();
			r = add_file(out, host, guest, 0644, e);
			if (r < 0)
				return r;
			buf_printf(&list, "%s %s\n", g[i].name, file);
		}
	r = buf_fail(&list, "module list", e);
	if (r < 0)
		return r;
	cpio_file(out, "modules/list", 0644, list.p, list.len);
	return 0;
}

int initramfs_build(const struct initramfs_parts *parts, struct buf *out, struct err *e)
{
	int r;

	cpio_dir(out, "dev", 0755);
	cpio_device(out, "dev/console", 0600, 5, 1);
	r = add_file(out, parts->agent, "init", 0755, e);
	if (r < 0)
		return r;
	r = add_modules(parts, out, e);
	if (r < 0)
		return r;
	cpio_end(out);
	return buf_fail(out, "initramfs", e);
}

/* FNV-1a: the name only has to differ when an input differs, nobody gains by a collision that he
 * could make by replacing the agent itself. */
static uint64_t mix(uint64_t h, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3u;
	return h;
}

static int mix_file(uint64_t *h, const char *path, struct err *e)
{
	struct stat st;
	uint64_t id[5];

	if (stat(path, &st) < 0)
		return err_sys(e, "initramfs: %s", path);
	id[0] = st.st_dev;
	id[1] = st.st_ino;
	id[2] = (uint64_t)st.st_size;
	id[3] = (uint64_t)st.st_mtim.tv_sec;
	id[4] = (uint64_t)st.st_mtim.tv_nsec;
	*h = mix(*h, id, sizeof(id));
	return 0;
}

static int key_of(const struct initramfs_parts *parts, uint64_t *key, struct err *e)
{
	const unsigned char has[] = {parts->nics, parts->shares};
	uint64_t h = mix(0xcbf29ce484222325u, "initramfs 2", 11);
	auto_free char *json = NULL, *modules = NULL;
	int r;

	if (asprintf(&json, "%s/kernel.json", parts->kernel->dir) < 0 ||
	    asprintf(&modules, "%s/modules", parts->kernel->dir) < 0)
		abort();
	r = mix_file(&h, json, e);
	if (r == 0)
		r = mix_file(&h, modules, e);
	if (r == 0)
		r = mix_file(&h, parts->agent, e);
	*key = mix(h, has, sizeof(has));
	return r;
}

int initramfs_get(const struct initramfs_parts *parts, const char *cache_dir, struct arena *a,
		  const char **path, struct err *e)
{
	auto_buf struct buf out = BUF_INIT(INITRAMFS_MAX);
	auto_fd int dir = -1;
	uint64_t key;
	char *name;
	int r = key_of(parts, &key, e);

	if (r < 0)
		return r;
	name = arena_printf(a, "initramfs-%016llx.cpio", (unsigned long long)key);
	*path = arena_printf(a, "%s/%s", cache_dir, name);
	if (access(*path, R_OK) == 0)
		return 0;
	if (mkdir(cache_dir, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "initramfs: %s", cache_dir);
	dir = open(cache_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "initramfs: %s", cache_dir);
	r = initramfs_build(parts, &out, e);
	if (r < 0)
		return r;
	r = file_replace(dir, name, out.p, out.len, 0644, FILE_LAZY);
	if (r < 0) {
		errno = -r;
		return err_sys(e, "initramfs: %s", *path);
	}
	return 0;
}
