/* SPDX-License-Identifier: Apache-2.0 */
/* What parses keeps the invariants of publish.h, and its full form parses to the same value. */
#include "base/buf.h"
#include "fmt/publish.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text = BUF_INIT(4096), full = BUF_INIT(4096);
	struct publish p, again;

	buf_add(&text, data, size);
	if (!text.failed && publish_parse(text.p, &p, NULL) == 0) {
		if (!p.port_first || p.port_last < p.port_first || p.host_last < p.host_first ||
		    !p.host_first != !p.host_last || p.proto >= PUBLISH_PROTO_MAX_)
			abort();
		publish_write(&p, &full);
		if (publish_parse(full.p, &again, NULL) < 0 || again.host_last != p.host_last ||
		    again.port_last != p.port_last || again.proto != p.proto ||
		    memcmp(again.host_ip, p.host_ip, sizeof(p.host_ip)) != 0)
			abort();
	}
	buf_free(&text);
	buf_free(&full);
	return 0;
}
