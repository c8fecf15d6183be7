/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "compare/footprint.h"
#include "spec/plan.h"
#include "sys/file.h"
#include "sys/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

TEST(blocks_count_what_is_allocated)
{
	char dir[] = "/var/tmp/footprint_test-XXXXXX", path[64];
	auto_arena struct arena a = ARENA_INIT;
	struct plan_caisson c = {.isolation = PLAN_VM};
	struct plan p = {.caisson = &c};
	struct footprint f = {0};
	struct err e = ERR_INIT;
	auto_fd int fd = -1;
	static char data[100000];
	const char *disks[] = {path};

	CHECK(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(data, 1, sizeof(data));
	CHECK_INT(mkdirat(fd, "state", 0700), 0);
	CHECK_INT(file_replace(fd, "layer", data, sizeof(data), 0600, FILE_DURABLE), 0);
	CHECK_INT(file_replace(fd, "state/hole", data, 0, 0600, FILE_DURABLE), -ENOENT);
	snprintf(path, sizeof(path), "%s/state/hole", dir);
	CHECK_INT(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
	CHECK_INT(truncate(path, 1 << 30), 0);
	c.state_dir = arena_printf(&a, "%s/state", dir);
	snprintf(path, sizeof(path), "%s/layer", dir);
	c.rootfs.disk = (struct strs){disks, 1};
	CHECK_INT(footprint_disk("/", &p, &f, &e), 0);
	CHECK(f.shared_bytes >= sizeof(data) && f.shared_bytes < 2 * sizeof(data));
	CHECK(f.own_bytes < sizeof(data));
	CHECK_INT(footprint_blocks("/no/such"), -ENOENT);
	CHECK_INT(path_remove(AT_FDCWD, dir), 0);
	CHECK(footprint_disk("/", &p, &f, &e) < 0);
}

TEST_MAIN(T(blocks_count_what_is_allocated))
