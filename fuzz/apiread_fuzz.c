/* SPDX-License-Identifier: Apache-2.0 */
/* apiread - any body, by the table of each route that has one, is refused with a reason or read. */
#include "api/apihost.h"
#include "api/apiread.h"
#include "api/apiroute.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "engine/request.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct jbind *const tables[] = {
	    &apinetwork_table, &apivolume_table,	  &apicommit_table,
	    &apiauth_table,    &apinetwork_connect_table, &apinetwork_disconnect_table};
	auto_arena struct arena a = ARENA_INIT;
	auto_buf struct buf text = BUF_INIT(1 << 20);
	struct request change;

	buf_add(&text, data, size);
	if (text.failed)
		return 0;
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		void *out = arena_alloc(&a, tables[i]->size);
		struct err e = ERR_INIT;

		if (apiread_body(tables[i], text.p, text.len, out, &a, &e) < 0 && !e.len)
			abort();
	}
	/* A limit is all that it changes. */
	if (apihost_update(text.p, text.len, &a, &change, NULL) == 0 &&
	    (change.image || change.privileged || change.volumes.n || change.mounts.n))
		abort();
	return 0;
}
