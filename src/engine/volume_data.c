/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/volume_data.h"
#include "base/auto.h"
#include "base/err.h"
#include "engine/session.h"
#include "store/helper.h"
#include "store/store.h"
#include "store/volume.h"
#include "sys/child.h"
#include "sys/fd.h"

#include <fcntl.h>

#define PROGRAM "caisson-copy"
#define ROOT_FD 6
#define DATA_FD 7

static int open_files(struct session *s, const char *name, struct arena *a, struct err *e)
{
	const char *path;
	struct store *store;
	struct volume v;
	int fd, r = session_store(s, &store, e);

	if (r == 0)
		r = volume_load(store_root_fd(store), name, a, &v, e);
	if (r < 0)
		return r;
	path = volume_option(&v, "device") ?: arena_printf(a, "%s/volumes/%s/_data", s->root, name);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "volume '%s': '%s'", name, path) : fd;
}

static int run(struct session *s, const char *name, const char *const *words, int data,
	       struct err *e)
{
	auto_arena struct arena a = ARENA_INIT;
	auto_helper struct helper h = HELPER_INIT;
	auto_free char *answer = NULL;
	auto_fd int root = open_files(s, name, &a, e);
	struct child_fd fds[2] = {{data, DATA_FD}, {root, ROOT_FD}};
	struct strs args = {0};
	ssize_t n;
	int r;

	if (root < 0)
		return root;
	for (; *words; words++)
		arena_strs_add(&a, &args, *words);
	arena_strs_add(&a, &args, arena_printf(&a, "--root=%d", ROOT_FD));
	arena_strs_add(&a, &args, arena_printf(&a, "--data=%d", DATA_FD));
	r = helper_start(s->store, PROGRAM, &args, fds, 2, &h, e);
	if (r < 0)
		return r;
	n = helper_finish(&h, 64, &answer, e);
	return n < 0 ? err_wrap(e, (int)n, "volume '%s'", name) : 0;
}

int volume_data_export(struct session *s, const char *name, int fd, struct err *e)
{
	static const char *const words[] = {"--export", NULL};

	return run(s, name, words, fd, e);
}

int volume_data_import(struct session *s, const char *name, int fd, struct err *e)
{
	/* Links are followed inside of the volume, whose they are. */
	static const char *const words[] = {"--put=/", "--kind=raw", "--archive", "--links", NULL};

	return run(s, name, words, fd, e);
}
