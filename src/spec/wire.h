/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wire - the one framing of every stream between our processes: CLI and monitor (unix socket),
 * monitor and guest agent (virtio-serial), engine and its fetch and unpack helpers (socketpair).
 *
 * A frame is a 12 byte header, little endian, and a payload:
 *
 *	u32 length of the payload, at most WIRE_PAYLOAD_MAX
 *	u16 type (enum wire_type)
 *	u16 flags (0; unknown flags are an error)
 *	u32 stream (which process or transfer it belongs to; 0 is the session itself)
 *
 * The reader is a step machine without descriptors: bytes in, frames out, so that it is fuzzed as
 *it is used.  A frame that breaks a rule puts the reader into a permanent error state. The messages
 *are described in docs/protocols/control.md and docs/protocols/guest.md.
 */
#ifndef SPEC_WIRE_H
#define SPEC_WIRE_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

#define WIRE_HEADER	 12
#define WIRE_PAYLOAD_MAX (256u << 10) /* data frames are at most 64 KiB; a plan is the largest */

/* Appended to, never renumbered.  Payload in brackets. */
#define WIRE_TYPES(X)                                                                              \
	X(HELLO, 1)	/* [JSON: version, program] first frame of both sides */                   \
	X(OK, 2)	/* [JSON or empty] the request on this stream was done */                  \
	X(ERR, 3)	/* [struct err, 512 bytes] it failed; also ends a stream */                \
	X(START, 4)	/* [JSON plan] guest: make the instance and start its process */           \
	X(EXEC, 5)	/* [JSON plan_process plus "detach"] start one more process, new stream */ \
	X(STDIN, 6)	/* [bytes] empty payload: end of file */                                   \
	X(STDOUT, 7)	/* [bytes] likewise */                                                     \
	X(STDERR, 8)	/* [bytes] likewise */                                                     \
	X(RESIZE, 9)	/* [u16 rows, u16 columns] */                                              \
	X(SIGNAL, 10)	/* [u32 signal number] */                                                  \
	X(EXIT, 11)	/* [u32 wait status as wait(2) gives it] the stream's process ended */     \
	X(ATTACH, 12)	/* [JSON: stdin, logs] follow the main process's stdio on this stream */   \
	X(WAIT, 13)	/* [] answered by EXIT when the main process has ended */                  \
	X(STOP, 14)	/* [JSON: signal, timeout_ms] answered by EXIT */                          \
	X(STATS, 15)	/* [] answered by OK with JSON */                                          \
	X(WINDOW, 16)	/* [u32 bytes] receiver has room for that many more data bytes */          \
	X(TIME, 17)	/* [i64 ns since the epoch] set the guest's clock */                       \
	X(ENTROPY, 18)	/* [bytes] add to the guest's pool and reseed */                           \
	X(NET, 19)	/* [JSON plan_nic] configure a guest interface */                          \
	X(PAUSE, 20)	/* [] freeze */                                                            \
	X(RESUME, 21)	/* [] thaw */                                                              \
	X(UPDATE, 22)	/* [JSON plan_resources] change limits */                                  \
	X(POWEROFF, 23) /* [] guest: end the machine */                                            \
	X(STARTED, 24)	/* [u32 pid] the stream's process runs (execve succeeded) */               \
	X(FILE, 25)	/* [u16 length, name, bytes] guest: keep a small file for a bind mount */  \
	X(TOP, 26)	/* [] answered by OK with JSON top_list */                                 \
	X(OOM, 27)	/* [u32] guest: so many processes were killed for want of memory so far */ \
	X(PREPARE, 28)	/* [] guest: get ready to be frozen, without the devices of anybody */     \
	X(WAKE, 29)	/* [bytes: entropy] guest: take the devices that are there, say HELLO */   \
	X(HOLD, 30)	/* [] guest: stop the processes, say OK and nothing more: to be saved */   \
	X(LETGO, 31)	/* [] guest: what HOLD stopped goes on */                                  \
	X(ADOPT, 32)	/* [JSON plan_identity] guest, saved and woken: be this one, and go on */  \
	X(SNAPSHOT, 33) /* [JSON control_snapshot] monitor: save the machine */

enum wire_type {
#define X(name, number) WIRE_##name = number,
	WIRE_TYPES(X)
#undef X
};

struct wire_frame {
	uint16_t type;
	uint32_t stream;
	const unsigned char *data; /* borrowed from the reader until the next wire_* call */
	size_t len;
};

struct wire_reader {
	unsigned char *p; /* WIRE_HEADER + WIRE_PAYLOAD_MAX at most, grown as needed */
	size_t have, used, cap;
	int failed; /* negative errno, permanent */
};
#define WIRE_READER_INIT ((struct wire_reader){0})

/* Room to read(2) into: at least one byte, never more than what the present frame may need plus a
 * little.  Then tell how many bytes arrived. */
unsigned char *wire_room(struct wire_reader *r, size_t *room);
void wire_fed(struct wire_reader *r, size_t n);

/* 1: *f is the next frame; 0: more bytes are needed; -EBADMSG with *e: the stream is broken. */
int wire_next(struct wire_reader *r, struct wire_frame *f, struct err *e);
void wire_reader_done(struct wire_reader *r);

/* Append a whole frame / only its header. */
void wire_put(struct buf *out, enum wire_type type, uint32_t stream, const void *data, size_t len);
void wire_header(unsigned char out[WIRE_HEADER], enum wire_type type, uint32_t stream, size_t len);

/* Blocking helpers for a stream socket or port: send one frame; read until the next one.
 * wire_recv() returns 1, 0 at a clean end of file, or a negative errno with *e. */
int wire_send(int fd, enum wire_type type, uint32_t stream, const void *data, size_t len,
	      struct err *e);
int wire_recv(int fd, struct wire_reader *r, struct wire_frame *f, struct err *e);

/* A struct err from another process is input: check its size, kind and terminator and blank its
 * control characters.  Returns the negative errno it stands for (never >= 0). */
int wire_err(const struct wire_frame *f, struct err *e);

const char *wire_type_name(uint16_t type);

#endif
