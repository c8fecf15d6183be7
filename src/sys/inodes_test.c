/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "sys/inodes.h"

TEST(first_name_counts)
{
	struct inodes s = {0};
	struct stat st = {.st_nlink = 2, .st_ino = 7, .st_dev = 1};

	CHECK(!inodes_before(&s, &st, "a"));
	CHECK_STR(inodes_before(&s, &st, "b"), "a");
	st.st_dev = 2;
	CHECK(!inodes_before(&s, &st, "other file system"));
	st.st_nlink = 1;
	st.st_ino = 8;
	CHECK(!inodes_before(&s, &st, "c"));
	CHECK(!inodes_before(&s, &st, "c"));
	inodes_free(&s);
}

TEST(many)
{
	struct inodes s = {0};
	char name[24];

	for (int round = 0; round < 2; round++)
		for (int i = 1; i <= 10000; i++) {
			struct stat st = {.st_nlink = 2, .st_ino = (ino_t)i * 4096};
			const char *before;

			snprintf(name, sizeof(name), "f%d", i);
			before = inodes_before(&s, &st, name);
			CHECK(round ? before && !strcmp(before, name) : !before);
		}
	CHECK_INT(s.n, 10000);
	inodes_free(&s);
}

TEST_MAIN(T(first_name_counts), T(many))
