/* SPDX-License-Identifier: Apache-2.0 */
/* What was written reads back as the same configuration. */
#include "base/buf.h"
#include "fmt/resolv_conf.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(RESOLV_CONF_SIZE_MAX), out = BUF_INIT(4 * RESOLV_CONF_SIZE_MAX);
	struct arena a = ARENA_INIT;
	struct resolv_conf c, again;

	buf_add(&text, data, size);
	if (!text.failed) {
		resolv_conf_parse(text.p, &a, &c);
		for (size_t i = 0; i < c.servers.n; i++)
			(void)resolv_conf_local(c.servers.v[i]);
		resolv_conf_write(&c, &out);
		resolv_conf_parse(out.p, &a, &again);
		if (c.servers.n != again.servers.n || c.search.n != again.search.n ||
		    c.options.n != again.options.n)
			abort();
	}
	arena_free(&a);
	buf_free(&text);
	buf_free(&out);
	return 0;
}
