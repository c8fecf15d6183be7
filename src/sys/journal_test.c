/* SPDX-License-Identifier: Apache-2.0 */
#include "base/auto.h"
#include "base/test.h"
#include "sys/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir_name[] = "/tmp/journal-test-XXXXXX";
static char seen[4096];

static int collect(const char *line, size_t len, void *arg)
{
	size_t n = strlen(seen);

	snprintf(seen + n, sizeof(seen) - n, "%.*s,", (int)len, line);
	return arg && --*(int *)arg == 0 ? 7 : 0;
}

static int fresh(void)
{
	snprintf(dir_name, sizeof(dir_name), "/tmp/journal-test-XXXXXX");
	if (!mkdtemp(dir_name))
		abort();
	seen[0] = '\0';
	return open(dir_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void drop(int dir)
{
	for (int i = 0; i < 5; i++) {
		char name[8];

		snprintf(name, sizeof(name), i ? "j.%d" : "j", i);
		unlinkat(dir, name, 0);
	}
	close(dir);
	rmdir(dir_name);
}

static void put(int dir, const char *line)
{
	static const struct journal_bounds b = {8, 3};

	CHECK_INT(journal_append(dir, "j", &b, line, strlen(line)), 0);
}

#define READER(dir)                                                                                \
	((struct journal_reader){.dir_fd = dir, .name = "j", .line_max = 64, .line = collect})

TEST(rotates_and_reads_in_order)
{
	int dir = fresh();
	struct journal_reader r = READER(dir);

	for (int i = 0; i < 6; i++) {
		char line[8];

		snprintf(line, sizeof(line), "l%d\n", i); /* two to a file */
		put(dir, line);
	}
	CHECK_INT(journal_read(&r, -1), 0);
	CHECK_STR(seen, "l0,l1,l2,l3,l4,l5,");
	put(dir, "l6\n"); /* the oldest file goes */
	CHECK_INT(journal_read_on(&r), 0);
	CHECK_STR(seen, "l0,l1,l2,l3,l4,l5,l6,");
	journal_done(&r);
	seen[0] = '\0';
	r = READER(dir);
	CHECK_INT(journal_read(&r, -1), 0);
	CHECK_STR(seen, "l2,l3,l4,l5,l6,");
	journal_done(&r);
	drop(dir);
}

TEST(the_last_lines_reach_into_older_files)
{
	static const char *const want[] = {
	    "", "l4,", "l3,l4,", "l2,l3,l4,", "l1,l2,l3,l4,", "l0,l1,l2,l3,l4,", "l0,l1,l2,l3,l4,"};
	int dir = fresh();

	for (int i = 0; i < 5; i++) {
		char line[8];

		snprintf(line, sizeof(line), "l%d\n", i);
		put(dir, line);
	}
	for (int i = 0; i < 7; i++) {
		struct journal_reader r = READER(dir);

		seen[0] = '\0';
		CHECK_INT(journal_read(&r, i), 0);
		CHECK_STR(seen, want[i]);
		journal_done(&r);
	}
	drop(dir);
}

TEST(a_follower_that_was_rotated_past_goes_on_with_the_oldest)
{
	int dir = fresh(), stop = 1;
	struct journal_reader r = READER(dir);

	CHECK_INT(journal_read(&r, -1), 0); /* nothing there yet */
	put(dir, "a\n");
	CHECK_INT(journal_read_on(&r), 0);
	for (int i = 0; i < 9; i++) {
		char line[8];

		snprintf(line, sizeof(line), "l%d\n", i);
		put(dir, line);
	}
	CHECK_INT(journal_read_on(&r), 0);
	CHECK_STR(seen, "a,l0,l1,l4,l5,l6,l7,l8,");
	journal_done(&r);
	r = READER(dir);
	r.arg = &stop;
	CHECK_INT(journal_read(&r, -1), 7);
	journal_done(&r);
	drop(dir);
}

TEST(lines_that_are_too_long_are_passed_over)
{
	static const struct journal_bounds b = {1 << 20, 2};
	int dir = fresh();
	struct journal_reader r = READER(dir);
	char big[200];

	memset(big, 'x', sizeof(big));
	big[199] = '\n';
	CHECK_INT(journal_append(dir, "j", &b, "a\n", 2), 0);
	CHECK_INT(journal_append(dir, "j", &b, big, sizeof(big)), 0);
	CHECK_INT(journal_append(dir, "j", &b, "b\n", 2), 0);
	CHECK_INT(journal_read(&r, -1), 0);
	CHECK_STR(seen, "a,b,");
	journal_done(&r);
	drop(dir);
}

static int count(const char *line, size_t len, void *arg)
{
	*(int *)arg += len == 9;
	return 0;
}

TEST(writers_at_once_lose_no_line)
{
	static const struct journal_bounds b = {4096, 100};
	int dir = fresh(), lines = 0;
	struct journal_reader r = READER(dir);

	for (int p = 0; p < 4; p++)
		if (fork() == 0) {
			for (int i = 0; i < 500; i++)
				if (journal_append(dir, "j", &b, "123456789\n", 10) < 0)
					_exit(1);
			_exit(0);
		}
	for (int p = 0, status; p < 4; p++) {
		wait(&status);
		CHECK_INT(status, 0);
	}
	r.line = count;
	r.arg = &lines;
	CHECK_INT(journal_read(&r, -1), 0);
	CHECK_INT(lines, 2000);
	journal_done(&r);
	drop(dir);
}

TEST_MAIN(T(rotates_and_reads_in_order), T(the_last_lines_reach_into_older_files),
	  T(a_follower_that_was_rotated_past_goes_on_with_the_oldest),
	  T(lines_that_are_too_long_are_passed_over), T(writers_at_once_lose_no_line))
