/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - the one error value of the program.
 *
 * A struct err is plain data: fixed size, no pointers, no allocation.  It may be filled between
 * clone() and exec, sent unchanged over a pipe or a vsock, and printed, exited with, or turned into
 * an HTTP reply by the last reader.  Convention for every function that takes one:
 *
 *   - the struct err * is the last parameter and may be NULL;
 *   - the return value is >= 0 on success and a negative errno on failure, never a third state;
 *   - on failure *e is filled exactly once, by the function that first knew; callers that can name
 *     a noun the user typed add it with err_wrap(); on success *e is not touched.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdint.h>

/* kind, errno returned, HTTP status, JSON name.  Adding a kind is adding one line here.
 * NOT_EXEC and NO_COMMAND are what execve() says of the workload's command: exit 126 and 127. */
#define ERR_KINDS(X)                                                                               \
	X(NONE, 0, 200, "none")                                                                    \
	X(USAGE, EINVAL, 400, "usage")                                                             \
	X(NOT_FOUND, ENOENT, 404, "not-found")                                                     \
	X(EXISTS, EEXIST, 409, "exists")                                                           \
	X(DENIED, EACCES, 403, "denied")                                                           \
	X(LIMIT, EOVERFLOW, 413, "limit")                                                          \
	X(CORRUPT, EBADMSG, 500, "corrupt")                                                        \
	X(UNSUPPORTED, EOPNOTSUPP, 501, "unsupported")                                             \
	X(CONFLICT, EBUSY, 409, "conflict")                                                        \
	X(TIMEOUT, ETIMEDOUT, 504, "timeout")                                                      \
	X(CANCELED, ECANCELED, 499, "canceled")                                                    \
	X(NOT_EXEC, ENOEXEC, 400, "not-executable")                                                \
	X(NO_COMMAND, ESRCH, 400, "no-command")                                                    \
	X(SYSTEM, EIO, 500, "system")

enum err_kind {
#define X(k, en, http, name) ERR_##k,
	ERR_KINDS(X)
#undef X
	    ERR_KIND_MAX_
};

struct err {
	uint16_t kind; /* enum err_kind */
	uint16_t len;  /* bytes used in msg, without the NUL */
	int32_t sys;   /* the errno behind it, 0 if none */
	char msg[504]; /* "pull nginx: blob sha256:..: short read", truncated with "..." */
};
_Static_assert(sizeof(struct err) == 512, "struct err is a wire format, keep it one size");

#define ERR_INIT ((struct err){0})

/* Fill *e with a reason of our own.  Returns the negative errno that belongs to kind. */
__attribute__((cold, format(printf, 3, 4))) int err_set(struct err *e, enum err_kind kind,
							const char *fmt, ...);

/* Fill *e from a failed system call; call it first thing, before errno can change.
 * Returns -errno.  ENOENT, EEXIST and EACCES/EPERM choose their kind; the rest is ERR_SYSTEM. */
__attribute__((cold, format(printf, 2, 3))) int err_sys(struct err *e, const char *fmt, ...);

/* Put context in front of *e: "msg" becomes "context: msg".  Returns r, for use in return. */
__attribute__((cold, format(printf, 3, 4))) int err_wrap(struct err *e, int r, const char *fmt,
							 ...);

const char *err_kind_name(enum err_kind kind);
int err_http_status(const struct err *e);

#endif
