/* SPDX-License-Identifier: Apache-2.0 */
/* criu_rpc - whatever came in the packet, texts end within their arrays and are printable. */
#include "fmt/criu_rpc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void printable(const char *s, size_t size)
{
	if (!memchr(s, '\0', size))
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct criu_rpc_response r;

	if (criu_rpc_parse(data, size, &r, NULL) < 0)
		return 0;
	if (!r.type || r.pid < 0)
		abort();
	printable(r.script, sizeof(r.script));
	printable(r.message, sizeof(r.message));
	return 0;
}
