/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "store/instance.h"
#include "sys/path.h"

#include <fcntl.h>

static int temp(char *dir)
{
	return mkdtemp(dir) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static void wipe(const char *dir)
{
	path_remove(AT_FDCWD, dir);
}

static void make(int root, char id[65], const char *name)
{
	struct instance i = {.id = id, .name = name, .image = "x", .request = "{}"};
	struct err e = ERR_INIT;
	int fd;

	instance_new_id(id);
	fd = instance_create(root, id, name, &e);
	CHECK(fd >= 0);
	CHECK_INT(instance_commit(fd, &i, false, &e), 0);
	close(fd);
}

TEST(names_are_taken_once_and_free_after_removal)
{
	char dir[] = "/tmp/caisson-instance-XXXXXX", a[65], b[65];
	auto_fd int root = temp(dir);
	auto_arena struct arena arena = ARENA_INIT;
	struct instance i = {0};
	struct err e = ERR_INIT;

	make(root, a, "web");
	instance_new_id(b);
	CHECK_INT(instance_create(root, b, "web", &e), -EEXIST);
	CHECK_INT(instance_find(root, "web", &arena, &i, &e), 0);
	CHECK_STR(i.id, a);
	a[9] = '\0';
	CHECK_INT(instance_find(root, a, &arena, &i, &e), 0);
	CHECK_INT(instance_remove(root, root, &i, &e), 0);
	CHECK_INT(instance_find(root, "web", &arena, &i, &e), -ENOENT);
	make(root, b, "web");
	wipe(dir);
}

TEST(bad_names_are_refused)
{
	char longer[200] = "";
	struct err e = ERR_INIT;

	memset(longer, 'a', sizeof(longer) - 1);
	CHECK_INT(instance_check_name("../x", &e), -EINVAL);
	CHECK_INT(instance_check_name("a\nb", &e), -EINVAL);
	CHECK_INT(instance_check_name("", &e), -EINVAL);
	CHECK_INT(instance_check_name("-x", &e), -EINVAL);
	CHECK_INT(instance_check_name(longer, &e), -EINVAL);
	CHECK_INT(instance_check_name("ok_1.2-3", &e), 0);
}

TEST(state_follows_the_lock)
{
	char dir[] = "/tmp/caisson-instance-XXXXXX", id[65];
	auto_fd int root = temp(dir);
	auto_fd int held = -1;
	auto_arena struct arena arena = ARENA_INIT;
	struct instance_state s = {0};
	struct err e = ERR_INIT;
	char path[128];
	int fd;

	make(root, id, "web");
	CHECK_INT(instance_state(root, root, id, &arena, &s, &e), 0);
	CHECK_INT(s.status, INSTANCE_CREATED);
	held = instance_run_lock(root, id, &e);
	CHECK(held >= 0);
	CHECK_INT(instance_run_lock(root, id, &e), -EBUSY);
	CHECK(instance_alive(root, id));
	snprintf(path, sizeof(path), "instances/%s/start.json", id);
	fd = openat(root, path, O_CREAT | O_WRONLY, 0600);
	CHECK(write(fd, "{\"pid\":7}", 9) == 9);
	close(fd);
	CHECK_INT(instance_state(root, root, id, &arena, &s, &e), 0);
	CHECK_INT(s.status, INSTANCE_RUNNING);
	CHECK_INT(s.pid, 7);
	close(take_fd(&held));
	CHECK(!instance_alive(root, id));
	CHECK_INT(instance_state(root, root, id, &arena, &s, &e), 0);
	CHECK_INT(s.status, INSTANCE_EXITED);
	CHECK(s.unseen && s.exit_code != 0);
	wipe(dir);
}

static int yes(const char *id, void *arg)
{
	++*(int *)arg;
	return 0;
}

TEST(a_half_made_instance_is_swept_and_a_locked_one_not)
{
	char dir[] = "/tmp/caisson-instance-XXXXXX", id[65];
	auto_fd int root = temp(dir);
	struct err e = ERR_INIT;
	int n = 0, fd;

	instance_new_id(id);
	fd = instance_create(root, id, "half", &e);
	CHECK(fd >= 0);
	instance_sweep(root, root, yes, &n);
	CHECK_INT(n, 0);
	close(fd);
	instance_sweep(root, root, yes, &n);
	CHECK_INT(n, 1);
	/* Its name is free again though the link is still there. */
	make(root, id, "half");
	wipe(dir);
}

TEST_MAIN(T(names_are_taken_once_and_free_after_removal), T(bad_names_are_refused),
	  T(state_follows_the_lock), T(a_half_made_instance_is_swept_and_a_locked_one_not))
