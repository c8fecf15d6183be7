/* SPDX-License-Identifier: Apache-2.0 */
/* The guest agent's side of the protocol: the wire reader and message_parse() on what it gives. */
#include "base/arena.h"
#include "base/err.h"
#include "guest/message.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = WIRE_READER_INIT;
	struct wire_frame f;
	struct err e;
	size_t at = 0;

	for (;;) {
		size_t room, n;
		unsigned char *p;
		int got;

		while ((got = wire_next(&r, &f, &e)) > 0) {
			struct arena a = ARENA_INIT;
			struct message m;

			e = ERR_INIT;
			if (message_parse(&f, &a, &m, &e) < 0) {
				if (e.kind == ERR_NONE)
					abort();
			} else if (m.len && (m.data < f.data || m.data + m.len > f.data + f.len)) {
				abort();
			}
			arena_free(&a);
		}
		if (got < 0 || at == size)
			break;
		p = wire_room(&r, &room);
		n = size - at < room ? size - at : room;
		memcpy(p, data + at, n);
		wire_fed(&r, n);
		at += n;
	}
	wire_reader_done(&r);
	return 0;
}
