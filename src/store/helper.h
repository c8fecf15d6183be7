/* SPDX-License-Identifier: Apache-2.0 */
/*
 * helper - one of our own programs under libexec, started for one task: given descriptors, asked
 * for one answer on its stdout, and for one struct err where it failed.
 */
#ifndef STORE_HELPER_H
#define STORE_HELPER_H

#include <stddef.h>
#include <sys/types.h>

struct child_fd;
struct err;
struct store;
struct strs;

#define HELPER_ERR_FD                                                                              \
	5 /* where the program finds the descriptor for its error; --err-fd is added */

struct helper {
	const char *program;
	pid_t pid;
	int out, err; /* read ends */
};
#define HELPER_INIT ((struct helper){.pid = -1, .out = -1, .err = -1})

/* args: without the program's name.  fds: besides stdout and HELPER_ERR_FD.  program is borrowed.
 * Errors: ERR_NOT_FOUND not installed, ERR_SYSTEM. */
int helper_start(struct store *s, const char *program, const struct strs *args,
		 const struct child_fd *fds, size_t nfds, struct helper *h, struct err *e);
/* Read its answer (malloc'ed, NUL-terminated) to the end, at most max bytes, and wait.  Returns the
 * length, or what the program said.  answer NULL: nothing is read. */
ssize_t helper_finish(struct helper *h, size_t max, char **answer, struct err *e);
/* Kill it if it still runs; releases everything.  After helper_finish() a no-op. */
void helper_stop(struct helper *h);
#define auto_helper __attribute__((cleanup(helper_stop)))

#endif
