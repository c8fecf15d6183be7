/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/file.h"
#include "sys/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

static char dir_name[64];

static int dir_new(void)
{
	snprintf(dir_name, sizeof(dir_name), "/tmp/file_test-XXXXXX");
	return mkdtemp(dir_name) ? open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static int dir_done(int dir)
{
	close(dir);
	return path_remove(AT_FDCWD, dir_name);
}

static int entries(int dir)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int n = -2; /* "." and ".." */

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

TEST(replace_makes_and_replaces_whole_files)
{
	auto_free char *p = NULL, *q = NULL;
	int dir = dir_new();
	struct stat st;

	CHECK_INT(file_replace(dir, "f", "one", 3, 0640, FILE_DURABLE), 0);
	CHECK_INT(file_read(dir, "f", 100, &p), 3);
	CHECK_STR(p, "one");
	CHECK_INT(fstatat(dir, "f", &st, 0), 0);
	CHECK_INT(st.st_mode & 0777, 0640);
	CHECK_INT(file_replace(dir, "f", "", 0, 0600, FILE_LAZY), 0);
	CHECK_INT(file_read(dir, "f", 100, &q), 0);
	CHECK_STR(q, "");
	CHECK_INT(entries(dir), 1);
	CHECK_INT(dir_done(dir), 0);
}

TEST(replace_takes_a_path)
{
	auto_free char *p = NULL, *q = NULL;
	char cwd[4096], path[64];
	int dir = dir_new();

	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/f", dir);
	CHECK_INT(file_replace_path(path, "one", 3, 0600, FILE_LAZY), 0);
	CHECK_INT(file_read(dir, "f", 100, &p), 3);
	CHECK_INT(fchdir(dir), 0);
	CHECK_INT(file_replace_path("g", "two", 3, 0600, FILE_LAZY), 0);
	CHECK_INT(chdir(cwd), 0);
	CHECK_INT(file_read(dir, "g", 100, &q), 3);
	CHECK_INT(file_replace_path("/no/such/file", "", 0, 0600, FILE_LAZY), -ENOENT);
	CHECK_INT(entries(dir), 2);
	CHECK_INT(dir_done(dir), 0);
}

TEST(a_failed_replace_leaves_nothing)
{
	auto_free char *p = NULL;
	char long_name[300];
	int dir = dir_new();

	CHECK_INT(mkdirat(dir, "d", 0755), 0);
	CHECK_INT(file_replace(dir, "d", "x", 1, 0600, FILE_LAZY), -EISDIR);
	CHECK_INT(entries(dir), 1);
	memset(long_name, 'n', sizeof(long_name));
	long_name[250] = '\0';
	CHECK_INT(file_replace(dir, long_name, "x", 1, 0600, FILE_LAZY), -ENAMETOOLONG);
	CHECK_INT(entries(dir), 1);
	CHECK_INT(file_read(dir, "none", 10, &p), -ENOENT);
	CHECK_INT(dir_done(dir), 0);
}

TEST(read_has_a_limit)
{
	auto_free char *p = NULL;
	int dir = dir_new();

	CHECK_INT(file_replace(dir, "f", "12345", 5, 0600, FILE_LAZY), 0);
	CHECK_INT(file_read(dir, "f", 4, &p), -EFBIG);
	CHECK(!p);
	CHECK_INT(dir_done(dir), 0);
}

/* Small, of exactly what one read takes, and larger. */
TEST(documents)
{
	static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 9000};
	char data[9000];
	int dir = dir_new();

	memset(data, 'd', sizeof(data));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		auto_free char *p = NULL;
		auto_free char *none = NULL;

		CHECK_INT(file_replace(dir, "f", data, sizes[i], 0600, FILE_LAZY), 0);
		CHECK_INT(file_read_doc(dir, "f", 9000, &p), (int)sizes[i]);
		CHECK(p && strlen(p) == sizes[i] && memcmp(p, data, sizes[i]) == 0);
		if (sizes[i])
			CHECK_INT(file_read_doc(dir, "f", sizes[i] - 1, &none), -EFBIG);
		CHECK(!none);
	}
	CHECK_INT(dir_done(dir), 0);
}

TEST(put_writes_what_exists)
{
	auto_free char *p = NULL;
	int dir = dir_new();

	CHECK_INT(file_put(dir, "f", "1"), -ENOENT);
	CHECK_INT(file_replace(dir, "f", "0\n", 2, 0600, FILE_LAZY), 0);
	CHECK_INT(file_put(dir, "f", "7"), 0);
	CHECK_INT(file_read(dir, "f", 10, &p), 2);
	CHECK_STR(p, "7\n");
	CHECK_INT(dir_done(dir), 0);
}

TEST_MAIN(T(replace_takes_a_path), T(replace_makes_and_replaces_whole_files),
	  T(a_failed_replace_leaves_nothing), T(read_has_a_limit), T(documents),
	  T(put_writes_what_exists))
