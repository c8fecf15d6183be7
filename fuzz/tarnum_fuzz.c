/* SPDX-License-Identifier: Apache-2.0 */
/* tarnum - any bytes as each kind of number: what is taken is in its range, and a decimal is what
 * strtoll() makes of it. */
#include "fmt/tarnum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_decimal(const char *text, size_t len)
{
	int64_t v = 0;
	char *end;

	if (tarnum_decimal(text, len, &v) < 0)
		return;
	errno = 0;
	if (strtoll(text, &end, 10) != v || errno || end != text + len)
		abort();
}

static void check_time(const char *text, size_t len)
{
	uint32_t nsec = 0;
	int64_t sec = 0;

	if (tarnum_time(text, len, &sec, &nsec) == 0 && nsec > 999999999)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[65];
	int64_t v;
	int r;

	if (size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	r = tarnum_field(data, size, &v);
	if (r != 0 && r != -EBADMSG && r != -ERANGE)
		abort();
	check_decimal(text, size);
	check_time(text, size);
	return 0;
}
