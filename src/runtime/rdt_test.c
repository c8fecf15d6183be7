/* SPDX-License-Identifier: Apache-2.0 */
/* Against a directory that looks like resctrl; the kernel's own is on few machines. */
#include "base/auto.h"
#include "base/err.h"
#include "base/test.h"
#include "runtime/rdt.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int tree(char dir[64])
{
	snprintf(dir, 64, "/tmp/rdt_testXXXXXX");
	return open(mkdtemp(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put(int root, const char *name, const char *text)
{
	auto_fd int fd = openat(root, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK_INT(fd_write_all(fd, text, strlen(text)), 0);
}

static void says(int root, const char *name, const char *want)
{
	auto_free char *text = NULL;

	CHECK(file_read(root, name, 4096, &text) >= 0);
	CHECK_STR(text, want);
}

/* The kernel makes these with the directory. */
static void class_is_there(int root, const char *schemata)
{
	CHECK_INT(mkdirat(root, "gold", 0755), 0);
	CHECK_INT(mkdirat(root, "gold/mon_groups", 0755), 0);
	put(root, "gold/schemata", schemata);
	put(root, "gold/tasks", "");
}

TEST(a_class_that_is_there_is_joined)
{
	char *lines[] = {(char[]){"L3:0=f;1=f"}};
	struct plan_rdt p = {.clos_id = "gold",
			     .schemata = {(const char **)(uintptr_t)lines, 1},
			     .enable_monitoring = true};
	struct err e = ERR_INIT;
	bool made = true;
	char dir[64];
	auto_fd int root = tree(dir);

	class_is_there(root, "    MB:0=100;1=100\n    L3:0=f;1=f\n");
	CHECK_INT(rdt_create(root, &p, "c1", &made, &e), 0);
	CHECK(!made);
	put(root, "gold/mon_groups/c1/tasks", "");
	CHECK_INT(rdt_join(root, &p, "c1", 42, &e), 0);
	says(root, "gold/tasks", "42");
	says(root, "gold/mon_groups/c1/tasks", "42");
	lines[0] = (char[]){"L3:0=3;1=f"};
	CHECK(rdt_create(root, &p, "c2", &made, &e) < 0);
	CHECK_INT(e.kind, ERR_CONFLICT);
	CHECK(faccessat(root, "gold", F_OK, 0) == 0);
	e = ERR_INIT;
	put(root, "gold/schemata", "");
	CHECK_INT(rdt_update(root, &p, "c1", &e), 0);
	says(root, "gold/schemata", "L3:0=3;1=f\n");
	path_remove(AT_FDCWD, dir);
}

TEST(a_class_of_its_own_goes_with_the_instance)
{
	struct plan_rdt p = {0};
	struct err e = ERR_INIT;
	bool made = false;
	char dir[64];
	auto_fd int root = tree(dir);

	CHECK_INT(rdt_create(root, &p, "c1", &made, &e), 0);
	CHECK(made && faccessat(root, "c1", F_OK, 0) == 0);
	rdt_remove(root, &p, "c1", made);
	CHECK(faccessat(root, "c1", F_OK, 0) < 0);
	/* What cannot be written undoes what was made: here there is no such file. */
	p.l3_schema = "L3:0=f";
	CHECK(rdt_create(root, &p, "c1", &made, &e) < 0);
	CHECK(strstr(e.msg, "schemata"));
	CHECK(faccessat(root, "c1", F_OK, 0) < 0);
	path_remove(AT_FDCWD, dir);
}

TEST(bandwidth_in_the_cache_schema_does_not_count)
{
	struct plan_rdt p = {
	    .clos_id = "gold", .l3_schema = "L3:0=f\nMB:0=20", .bw_schema = "MB:0=70"};
	struct err e = ERR_INIT;
	bool made;
	char dir[64];
	auto_fd int root = tree(dir);

	class_is_there(root, "");
	CHECK_INT(rdt_update(root, &p, "c1", &e), 0);
	says(root, "gold/schemata", "L3:0=f\nMB:0=70\n");
	CHECK_INT(rdt_create(root, &p, "c1", &made, &e), 0);
	path_remove(AT_FDCWD, dir);
}

TEST(names_stay_in_the_tree)
{
	static const char *const bad[] = {"../x", "a/b", ".", "..", "info", "mon_groups", "a\nb"};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct plan_rdt p = {.clos_id = bad[i]};

		CHECK(rdt_check(&p, &e) < 0);
		CHECK(strstr(e.msg, "linux.intelRdt.closID"));
		e = ERR_INIT;
	}
}

TEST_MAIN(T(a_class_that_is_there_is_joined), T(a_class_of_its_own_goes_with_the_instance),
	  T(bandwidth_in_the_cache_schema_does_not_count), T(names_stay_in_the_tree))
