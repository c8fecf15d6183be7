/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration that parses gives every plugin an input that is one more such configuration; a
 * result that parses has addresses that do. */
#include "base/arena.h"
#include "base/buf.h"
#include "fmt/cni.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(1 << 20);
	struct arena a = ARENA_INIT;
	struct cni_list l, again;
	struct cni_result res;

	buf_add(&text, data, size);
	if (cni_list_parse(text.p, text.len, "conf", &a, &l, NULL) == 0) {
		if (!l.n || l.n > CNI_PLUGINS_MAX)
			abort();
		for (size_t i = 0; i < l.n; i++) {
			struct buf b = BUF_INIT(1 << 20);

			if (strchr(l.v[i].type, '/') || l.v[i].type[0] == '.')
				abort();
			if (cni_input(&l, i, "{}", "[]", &b, NULL) < 0 ||
			    (b.len <= CNI_CONF_MAX && !strstr(l.v[i].text, "\"plugins\"") &&
			     cni_list_parse(b.p, b.len, "input", &a, &again, NULL) < 0))
				abort();
			buf_free(&b);
		}
	}
	if (cni_result_parse(text.p, text.len, "result", &a, &res, NULL) == 0)
		for (size_t i = 0; i < res.n; i++)
			if (!strchr(res.v[i].address, '/'))
				abort();
	(void)cni_failure(text.p, text.len, &a);
	arena_free(&a);
	buf_free(&text);
	return 0;
}
