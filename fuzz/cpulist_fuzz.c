/* SPDX-License-Identifier: Apache-2.0 */
/* cpulist - a set that is accepted comes back when it is written out and read again; a mask is
 * never written beyond its end; a larger one says no to nothing that a smaller one takes. */
#include "base/buf.h"
#include "fmt/cpulist.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BYTES 8

static void write_out(const unsigned char *mask, struct buf *out)
{
	for (unsigned int i = 0; i < BYTES * 8; i++)
		if (mask[i / 8] >> i % 8 & 1)
			buf_printf(out, "%s%u", out->len ? "," : "", i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf list = BUF_INIT(4096), text = BUF_INIT(4096);
	unsigned char *mask, again[BYTES], more[2 * BYTES];

	buf_add(&list, data, size);
	mask = malloc(BYTES);
	if (list.failed || !mask) {
		free(mask);
		return 0;
	}
	if (cpulist_parse(list.p, mask, BYTES) == 0) {
		if (strspn(list.p, "0123456789,-") != strlen(list.p))
			abort();
		write_out(mask, &text);
		if (cpulist_parse(text.p, again, BYTES) < 0 || memcmp(mask, again, BYTES) != 0 ||
		    cpulist_parse(list.p, more, sizeof(more)) < 0 || memcmp(mask, more, BYTES) != 0)
			abort();
		for (size_t i = BYTES; i < sizeof(more); i++)
			if (more[i])
				abort();
	}
	free(mask);
	return 0;
}
