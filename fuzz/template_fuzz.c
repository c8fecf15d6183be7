/* SPDX-License-Identifier: Apache-2.0 */
/* A template ends, within its output's limit, with an error or without; twice it says the same. */
#include "base/buf.h"
#include "base/err.h"
#include "cli/template.h"
#include "fmt/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char doc[] = "{\"A\":\"text\",\"B\":[1,true,null,\"x\",{\"C\":[]}],\"M\":{\"k\":\"v\","
			  "\"l\":{\"n\":2.5}},\"E\":\"\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_buf struct buf text = BUF_INIT(4096), one = BUF_INIT(1 << 16), two = BUF_INIT(1 << 16);
	struct err e = ERR_INIT, f = ERR_INIT;
	auto_json struct json *j = NULL;
	int r;

	buf_add(&text, data, size);
	if (text.failed || json_parse(doc, sizeof(doc) - 1, "doc", &j, NULL) < 0)
		return 0;
	r = template_print(text.p, j, &one, &e);
	if (template_print(text.p, j, &two, &f) != r || one.len != two.len ||
	    memcmp(one.p, two.p, one.len) != 0 || strcmp(e.msg, f.msg) != 0 ||
	    (r < 0) != (e.kind != 0))
		abort();
	return 0;
}
