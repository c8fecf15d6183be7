/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dbus - messages of the D-Bus wire protocol: as much as talking to systemd needs.
 *
 * Writing: values are appended to a buf that begins at offset 0 of a body (which a message aligns
 * to 8), then dbus_call() puts header and body together.  Reading is bounded by the bytes given;
 * only little-endian messages are taken (both ends are this machine).
 * Source: D-Bus Specification 0.43, "Message Protocol".
 */
#ifndef FMT_DBUS_H
#define FMT_DBUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define DBUS_MESSAGE_MAX (1u << 20) /* the protocol allows 128 MiB; systemd sends some KiB */

/* ---- writing ---- */

void dbus_align(struct buf *b, size_t n);
void dbus_u8(struct buf *b, uint8_t v);
void dbus_u32(struct buf *b, uint32_t v);
void dbus_u64(struct buf *b, uint64_t v);
void dbus_bool(struct buf *b, bool v);
void dbus_string(struct buf *b, const char *s); /* also an object path */
void dbus_signature(struct buf *b, const char *s);

/* An array whose elements align to n: begin, append the elements, end with what begin returned. */
size_t dbus_array(struct buf *b, size_t n);
void dbus_array_end(struct buf *b, size_t at, size_t n);

struct dbus_target {
	const char *destination; /* NULL on a connection without a bus */
	const char *path, *interface, *member;
};
void dbus_call(struct buf *out, uint32_t serial, const struct dbus_target *t, const char *signature,
	       const struct buf *body);

/* ---- reading ---- */

enum dbus_type { DBUS_CALL = 1, DBUS_RETURN = 2, DBUS_ERROR = 3, DBUS_SIGNAL = 4 };

struct dbus_message {
	uint8_t type; /* enum dbus_type */
	uint32_t serial, reply_serial;
	/* Borrowed from the bytes; "" when absent. */
	const char *path, *interface, *member, *error, *destination, *sender, *signature;
	const unsigned char *body;
	size_t body_len;
};

/* How many bytes the message that begins here has: 0 when 16 bytes are not there yet, or
 * -EBADMSG. */
int64_t dbus_length(const unsigned char *data, size_t have);
/* data: exactly one message.  Errors: ERR_CORRUPT. */
int dbus_parse(const unsigned char *data, size_t len, struct dbus_message *m, struct err *e);

/* Step through a body; *at begins at 0.  False: no such value there. */
bool dbus_get_u32(const struct dbus_message *m, size_t *at, uint32_t *v);
bool dbus_get_string(const struct dbus_message *m, size_t *at, const char **s);

#endif
