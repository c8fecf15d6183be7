/* SPDX-License-Identifier: Apache-2.0 */
/* runwords - a request as the words behind `caisson run` that ask for the same again. */
#ifndef ENGINE_RUNWORDS_H
#define ENGINE_RUNWORDS_H

struct arena;
struct err;
struct request;
struct strs;

/* Append options, image and command of q to out; strings are borrowed or in a.  Left out are its
 * name, --rm and --restart, which are the caller's to say.
 * Errors: ERR_UNSUPPORTED an entry point of several words, which no option can say. */
int runwords_make(const struct request *q, struct arena *a, struct strs *out, struct err *e);

#endif
