/* SPDX-License-Identifier: Apache-2.0 */
/* A kernel's ELF file and its description, from a user's directory. */
#include "base/arena.h"
#include "base/err.h"
#include "fmt/guest_kernel.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena a = ARENA_INIT;
	struct guest_kernel_info info;
	struct err e = ERR_INIT;
	union {
		const uint8_t *in;
		const char *out;
	} u = {.in = data};

	if (guest_kernel_elf(data, size, "kernel", &e) < 0 && e.kind == ERR_NONE)
		abort();
	e = ERR_INIT;
	if (guest_kernel_parse(u.out, size, &a, "kernel.json", &info, &e) == 0) {
		if (!info.version || !info.sha256 || info.format != 1)
			abort();
	} else if (e.kind == ERR_NONE) {
		abort();
	}
	return 0;
}
