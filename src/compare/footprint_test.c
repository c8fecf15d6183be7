/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "compare/footprint.h"
#include "sys/file.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char dir[64];
static char data[100000];

/* dir/{layer,state/hole}: one of blocks, one of nothing. */
static int make(void)
{
	int fd;

	snprintf(dir, sizeof(dir), "/var/tmp/footprint_test-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(data, 1, sizeof(data));
	if (mkdirat(fd, "state", 0700) < 0 ||
	    file_replace(fd, "layer", data, sizeof(data), 0600, FILE_DURABLE) < 0)
		return -1;
	close(openat(fd, "state/hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	close(fd);
	return 0;
}

TEST(blocks_count_what_is_allocated)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs own = {0}, all = {0}, none = {0};
	struct err e = ERR_INIT;
	uint64_t bytes = 7;
	const char *hole;

	CHECK_INT(make(), 0);
	hole = arena_printf(&a, "%s/state/hole", dir);
	CHECK_INT(truncate(hole, 1 << 30), 0);
	arena_strs_add(&a, &own, arena_printf(&a, "%s/state", dir));
	arena_strs_add(&a, &all, dir);
	CHECK_INT(footprint_disk(&own, &bytes, &e), 0);
	CHECK(bytes < sizeof(data));
	CHECK_INT(footprint_disk(&all, &bytes, &e), 0);
	CHECK(bytes >= sizeof(data) && bytes < 2 * sizeof(data));
	arena_strs_add(&a, &none, "/no/such");
	CHECK_INT(footprint_disk(&none, &bytes, &e), -ENOENT);
	CHECK_INT(path_remove(AT_FDCWD, dir), 0);
}

TEST(open_files_are_those_of_the_root_once_each)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs got = {0};
	struct err e = ERR_INIT;
	const char *layer, *hole;
	int fds[4];

	CHECK_INT(make(), 0);
	layer = arena_printf(&a, "%s/layer", dir);
	hole = arena_printf(&a, "%s/state/hole", dir);
	fds[0] = open(layer, O_RDONLY | O_CLOEXEC);
	fds[1] = open(layer, O_RDONLY | O_CLOEXEC);
	fds[2] = open(hole, O_RDONLY | O_CLOEXEC);
	fds[3] = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK_INT(
	    footprint_open_files(getpid(), dir, arena_printf(&a, "%s/state", dir), &a, &got, &e),
	    0);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	CHECK_INT(got.n, 1);
	CHECK_STR(got.v[0], layer);
	CHECK_INT(path_remove(AT_FDCWD, dir), 0);
}

TEST_MAIN(T(blocks_count_what_is_allocated), T(open_files_are_those_of_the_root_once_each))
