/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmp - ask QEMU over its monitor protocol, bounded in bytes and time.
 *
 * QEMU is driven by a guest that may be hostile, so what it answers is input: a line is at most
 * QMP_LINE_MAX bytes, JSON by fmt/json, and nothing else is believed than return or error.
 * Source: QEMU, docs/interop/qmp-spec.
 */
#ifndef VMM_QMP_H
#define VMM_QMP_H

#include <stddef.h>

struct err;

#define QMP_LINE_MAX 65536

struct qmp {
	int fd; /* a stream socket, owned */
	char *line;
	size_t len;	    /* bytes of .line that hold what has not been looked at */
	int ready;	    /* capabilities were negotiated */
	int owed;	    /* answers to queued commands */
	const char *member; /* of qmp_query(), while it runs */
	char *value;
	size_t value_size;
	char version[96]; /* what it said of itself, once it has greeted */
};
#define QMP_INIT ((struct qmp){.fd = -1})

/* What one line is. */
enum qmp_kind { QMP_GREETING, QMP_RETURN, QMP_ERROR, QMP_EVENT };
/* Returns the kind; for QMP_ERROR *e is filled with QEMU's description (its control characters
 * blanked).  -EBADMSG with *e for anything else. */
int qmp_classify(const char *line, size_t len, struct err *e);

/* Run a command, such as "stop".  args: JSON object, or NULL.  timeout_ms bounds the whole call.
 * Errors: ERR_TIMEOUT, ERR_CORRUPT, ERR_SYSTEM (also what QEMU refuses). */
int qmp_command(struct qmp *q, const char *name, const char *args, int timeout_ms, struct err *e);
/* Send a command and go on: its answer is read, and what it says forgotten, before that of the next
 * qmp_command().  For a QEMU that has only been started: it answers when it is ready. */
int qmp_queue(struct qmp *q, const char *name, const char *args, struct err *e);
/* Hand QEMU a descriptor that commands call by name ("getfd"). */
int qmp_send_fd(struct qmp *q, int fd, const char *name, int timeout_ms, struct err *e);
/* Run a query and copy the string member of the object it returns; "" when there is none. */
int qmp_query(struct qmp *q, const char *name, const char *member, char *out, size_t size,
	      int timeout_ms, struct err *e);
void qmp_done(struct qmp *q);

#endif
