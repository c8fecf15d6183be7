/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guestfiles - requests about the instance's files (files/filework.h): cp, export, diff and commit
 * of a VM, done by a child of the agent that ends with its stream.
 *
 * The guest is not trusted with more than itself: what the child reads and writes is what the
 * workload can, too, and all of it goes to the host as bytes of an archive.
 */
#ifndef GUEST_GUESTFILES_H
#define GUEST_GUESTFILES_H

#include "runtime/launch.h"

struct err;
struct strs;

/* init: the instance's process 1.  child: stdin, stdout, stderr; data goes in by the first and out
 * by the second (with --put the answer does).  A failure is told as one struct err on the third,
 * and exit code 1.  Fills pid and pidfd of *out.  Errors: ERR_USAGE words that mean nothing. */
int guestfiles_start(pid_t init, const struct strs *words, const int child[3], struct launch *out,
		     struct err *e);

/* A child of the agent that runs fn with these for its standard descriptors, and says why it failed
 * as a struct err on stderr. */
int guestfiles_child(int (*fn)(void *arg, struct err *e), void *arg, const int child[3],
		     struct launch *out, struct err *e);

#endif
