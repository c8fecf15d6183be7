/* SPDX-License-Identifier: Apache-2.0 */
/* dbus - what is read out of a message lies inside it. */
#include "fmt/dbus.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(const char *s, const uint8_t *data, size_t size)
{
	const uint8_t *p = (const uint8_t *)s;

	if (*s && (p < data || p + strlen(s) >= data + size))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dbus_message m;
	const char *s;
	uint32_t v;

	dbus_length(data, size);
	if (dbus_parse(data, size, &m, NULL) < 0)
		return 0;
	inside(m.path, data, size);
	inside(m.member, data, size);
	inside(m.error, data, size);
	inside(m.signature, data, size);
	for (size_t at = 0; dbus_get_string(&m, &at, &s);)
		inside(s, data, size);
	for (size_t at = 0; dbus_get_u32(&m, &at, &v);)
		;
	return 0;
}
