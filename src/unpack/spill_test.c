/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/test.h"
#include "unpack/spill.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>

#define N 200000

/* Every piece zeroed when it comes, and what is written stays, whether the pages were let go of or
 * not. */
static void fill_and_look(struct spill *s)
{
	struct arena a = {.source = spill_source(s)};
	uint64_t **v = arena_array(&a, N, sizeof(*v));
	size_t dirty = 0, wrong = 0;

	for (uint64_t i = 0; i < N; i++) {
		v[i] = arena_alloc(&a, 16 + i % 64);
		dirty += v[i][0] != 0 || v[i][1] != 0;
		v[i][0] = v[i][1] = i;
	}
	spill_cool(s);
	for (uint64_t i = 0; i < N; i++)
		wrong += v[i][0] != i || v[i][1] != i;
	CHECK_INT(dirty, 0);
	CHECK_INT(wrong, 0);
	arena_free(&a);
}

TEST(what_does_not_fit_lies_in_the_file)
{
	auto_fd int fd = memfd_create("spill", MFD_CLOEXEC);
	struct spill *s = spill_new(fd);

	fill_and_look(s);
	CHECK(spill_size(s) > (8 << 20));
	spill_free(s);
}

TEST(small_things_touch_no_file)
{
	auto_fd int fd = memfd_create("spill", MFD_CLOEXEC);
	struct spill *s = spill_new(fd);
	struct arena a = {.source = spill_source(s)};

	for (int i = 0; i < 1000; i++)
		arena_alloc(&a, 1000);
	CHECK_INT(spill_size(s), 0);
	spill_free(s);
}

TEST(without_a_file_it_is_memory)
{
	struct spill *s = spill_new(-1);

	fill_and_look(s);
	CHECK_INT(spill_size(s), 0);
	spill_free(s);
}

/* A file that may not grow stands for a disk that is full. */
TEST(a_full_disk_is_no_end)
{
	auto_fd int fd = memfd_create("spill", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct spill *s = spill_new(fd);

	CHECK_INT(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	fill_and_look(s);
	CHECK_INT(spill_size(s), 0);
	spill_free(s);
}

TEST_MAIN(T(what_does_not_fit_lies_in_the_file), T(small_things_touch_no_file),
	  T(without_a_file_it_is_memory), T(a_full_disk_is_no_end))
