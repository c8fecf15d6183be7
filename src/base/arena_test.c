/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/test.h"

#include <stdint.h>

TEST(memory_is_zeroed_and_aligned)
{
	auto_arena struct arena a = ARENA_INIT;

	for (size_t n = 1; n < 20000; n = n * 3 + 1) {
		char *p = arena_alloc(&a, n);

		CHECK_INT((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			CHECK_INT(p[i], 0);
		memset(p, 0xff, n);
	}
}

TEST(strs_grow_and_end_with_null)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs l = {0};

	for (int i = 0; i < 1000; i++) {
		arena_strs_add(&a, &l, arena_printf(&a, "%d", i));
		CHECK(!l.v[l.n]);
	}
	CHECK_INT(l.n, 1000);
	CHECK_STR(l.v[999], "999");
	CHECK_STR(l.v[0], "0");
}

TEST(a_list_of_known_length_can_be_added_to)
{
	for (size_t n = 0; n < 70; n++) {
		auto_arena struct arena a = ARENA_INIT;
		struct strs l = {.v = arena_strs_array(&a, n), .n = n};
		char *behind = arena_alloc(&a, 16);

		for (size_t i = 0; i < n; i++)
			l.v[i] = "x";
		arena_strs_add(&a, &l, "y");
		arena_strs_add(&a, &l, "z");
		CHECK_INT(l.n, n + 2);
		CHECK_STR(l.v[n], "y");
		CHECK(!l.v[n + 2]);
		for (int i = 0; i < 16; i++)
			CHECK_INT(behind[i], 0);
	}
}

TEST(a_sorted_list_knows_what_it_holds)
{
	auto_arena struct arena a = ARENA_INIT;
	struct strs l = {0};

	arena_strs_sort(&l);
	CHECK(!arena_strs_has(&l, ""));
	arena_strs_add(&a, &l, "b");
	arena_strs_add(&a, &l, "\xff");
	arena_strs_add(&a, &l, "a");
	arena_strs_sort(&l);
	CHECK_STR(l.v[0], "a");
	CHECK_STR(l.v[2], "\xff"); /* bytes, not signed characters */
	CHECK(arena_strs_has(&l, "b"));
	CHECK(!arena_strs_has(&l, "c"));
}

TEST(a_list_makes_room_for_one_more)
{
	auto_arena struct arena a = ARENA_INIT;
	int *v = NULL;

	for (int i = 0; i < 100; i++) {
		v = arena_room(&a, v, (size_t)i, sizeof(*v));
		v[i] = i;
	}
	for (int i = 0; i < 100; i++)
		CHECK_INT(v[i], i);
}

TEST(dupn_terminates)
{
	auto_arena struct arena a = ARENA_INIT;

	CHECK_STR(arena_dupn(&a, "abcdef", 3), "abc");
}

TEST_MAIN(T(memory_is_zeroed_and_aligned), T(strs_grow_and_end_with_null),
	  T(a_list_of_known_length_can_be_added_to), T(dupn_terminates),
	  T(a_sorted_list_knows_what_it_holds), T(a_list_makes_room_for_one_more))
