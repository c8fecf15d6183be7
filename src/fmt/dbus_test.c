/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/test.h"
#include "fmt/dbus.h"

/* The first message of every client, as libdbus sends it. */
TEST(hello_bytes)
{
	static const unsigned char want[] = {
	    'l', 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 'n', 0, 0, 0,
	    /* path */
	    1, 1, 'o', 0, 21, 0, 0, 0, '/', 'o', 'r', 'g', '/', 'f', 'r', 'e', 'e', 'd', 'e', 's',
	    'k', 't', 'o', 'p', '/', 'D', 'B', 'u', 's', 0, 0, 0,
	    /* destination */
	    6, 1, 's', 0, 20, 0, 0, 0, 'o', 'r', 'g', '.', 'f', 'r', 'e', 'e', 'd', 'e', 's', 'k',
	    't', 'o', 'p', '.', 'D', 'B', 'u', 's', 0, 0, 0, 0,
	    /* interface */
	    2, 1, 's', 0, 20, 0, 0, 0, 'o', 'r', 'g', '.', 'f', 'r', 'e', 'e', 'd', 'e', 's', 'k',
	    't', 'o', 'p', '.', 'D', 'B', 'u', 's', 0, 0, 0, 0,
	    /* member */
	    3, 1, 's', 0, 5, 0, 0, 0, 'H', 'e', 'l', 'l', 'o', 0, 0, 0};
	struct dbus_target t = {"org.freedesktop.DBus", "/org/freedesktop/DBus",
				"org.freedesktop.DBus", "Hello"};
	auto_buf struct buf b = BUF_INIT(4096);
	struct dbus_message m;

	dbus_call(&b, 1, &t, NULL, NULL);
	/* The last field's padding belongs to the header, not to the array. */
	CHECK_INT(b.len, sizeof(want));

	CHECK_INT(memcmp(b.p, want, sizeof(want)), 0);
	CHECK_INT(dbus_parse((unsigned char *)b.p, b.len, &m, NULL), 0);
	CHECK_STR(m.member, "Hello");
}

TEST(body)
{
	struct dbus_target t = {NULL, "/a", "b.c", "D"};
	auto_buf struct buf body = BUF_INIT(4096), b = BUF_INIT(4096);
	struct dbus_message m;
	size_t at = 0, i;
	const char *s;
	uint32_t v;

	dbus_string(&body, "unit");
	i = dbus_array(&body, 8);
	dbus_align(&body, 8);
	dbus_string(&body, "K");
	dbus_signature(&body, "t");
	dbus_u64(&body, 7);
	dbus_array_end(&body, i, 8);
	/* "unit" 9 bytes, pad to 12, length, 16: struct: 6 bytes "K", sig 3 -> 25, pad 32, u64 */
	CHECK_INT(body.len, 40);
	CHECK_INT(body.p[12], 24);
	dbus_call(&b, 9, &t, "sa(sv)", &body);
	CHECK_INT(dbus_length((unsigned char *)b.p, b.len), b.len);
	CHECK_INT(dbus_parse((unsigned char *)b.p, b.len, &m, NULL), 0);
	CHECK_INT(m.serial, 9);
	CHECK_STR(m.signature, "sa(sv)");
	CHECK_STR(m.destination, "");
	CHECK(dbus_get_string(&m, &at, &s));
	CHECK_STR(s, "unit");
	CHECK(dbus_get_u32(&m, &at, &v));
	CHECK_INT(v, 24);
	at = 39;
	CHECK(!dbus_get_string(&m, &at, &s));
	CHECK(dbus_parse((unsigned char *)b.p, b.len - 1, &m, NULL) < 0);
	b.p[17] = 99; /* the first field's signature is longer than the message */
	CHECK(dbus_parse((unsigned char *)b.p, b.len, &m, NULL) < 0);
}

TEST_MAIN(T(hello_bytes), T(body))
