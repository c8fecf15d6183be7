/* SPDX-License-Identifier: Apache-2.0 */
/* wire - the frames of a hostile guest: the first byte chooses how the stream is cut into reads. */
#include "base/err.h"
#include "spec/wire.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(const struct wire_frame *f)
{
	unsigned int sum = 0;
	struct err e = ERR_INIT;

	if (f->len > WIRE_PAYLOAD_MAX || !wire_type_name(f->type))
		abort();
	for (size_t i = 0; i < f->len; i++)
		sum += f->data[i]; /* a sanitizer looks at every byte */
	if (sum > 255 * f->len)
		abort();
	if (f->type == WIRE_ERR && (wire_err(f, &e) >= 0 || !memchr(e.msg, '\0', sizeof(e.msg))))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_reader r = WIRE_READER_INIT;
	struct err e = ERR_INIT;
	size_t step = size ? data[0] + 1 : 1, at = 1;
	int got = 0;

	while (at < size && got >= 0) {
		size_t room, n = size - at < step ? size - at : step;
		unsigned char *p = wire_room(&r, &room);
		struct wire_frame f;

		if (!room || r.cap > WIRE_HEADER + WIRE_PAYLOAD_MAX + 65536)
			abort();
		n = n < room ? n : room;
		memcpy(p, data + at, n);
		wire_fed(&r, n);
		at += n;
		while ((got = wire_next(&r, &f, &e)) > 0)
			one(&f);
	}
	wire_reader_done(&r);
	return 0;
}
