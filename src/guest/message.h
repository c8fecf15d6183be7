/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - one frame of the host, checked and decoded (docs/protocols/guest.md).
 * Pure: fuzzed together with the wire reader (fuzz/message_fuzz.c).
 */
#ifndef GUEST_MESSAGE_H
#define GUEST_MESSAGE_H

#include "spec/plan.h"
#include "spec/wire.h"

struct arena;
struct err;

#define MESSAGE_DATA_MAX    65536
#define MESSAGE_ENTROPY_MAX 4096
#define MESSAGE_NAME_MAX    80

struct message {
	uint16_t type; /* enum wire_type */
	uint32_t stream;
	const unsigned char *data; /* STDIN, ENTROPY, FILE: borrowed from the frame */
	size_t len;
	const char *name;		 /* FILE */
	int64_t time_ns;		 /* TIME */
	uint32_t number;		 /* SIGNAL: the signal; WINDOW: bytes */
	uint16_t rows, columns;		 /* RESIZE */
	struct plan *plan;		 /* START */
	struct plan_nic nic;		 /* NET */
	struct plan_process process;	 /* EXEC */
	struct plan_resources resources; /* UPDATE */
	struct plan_identity identity;	 /* ADOPT */
};

/* Errors: ERR_CORRUPT a size or stream that the protocol does not allow or a type the guest does
 * not take; what the JSON parsers say.  Strings live in a. */
int message_parse(const struct wire_frame *f, struct arena *a, struct message *out, struct err *e);

#endif
