/* SPDX-License-Identifier: Apache-2.0 */
/*
 * detachkeys - the keys that leave a process's terminal without ending it, found in what is typed:
 * by the command in its own terminal, by the server in what a client of the API sends.
 */
#ifndef ENGINE_DETACHKEYS_H
#define ENGINE_DETACHKEYS_H

#include <stdbool.h>
#include <stddef.h>

struct err;

#define DETACHKEYS_MAX	   16
#define DETACHKEYS_DEFAULT "ctrl-p,ctrl-q"

struct detachkeys {
	char keys[DETACHKEYS_MAX];
	size_t n;  /* 0: none, nothing is found */
	size_t at; /* how many of them were typed in a row */
};

/* One key or several, separated by commas: one character, "DEL", or "ctrl-" and one of
 * a-z @ [ \ ] ^ _.  Empty: none.  ERR_USAGE. */
int detachkeys_parse(const char *text, struct detachkeys *out, struct err *e);

/* Takes the keys out of n bytes typed: *len becomes what is to be passed on, in out, which has room
 * for n + DETACHKEYS_MAX.  Keys that began the row and were not gone on with are passed on after
 * all.  True: the row is complete, what was typed behind it is dropped. */
bool detachkeys_scan(struct detachkeys *k, const char *in, size_t n, char *out, size_t *len);

#endif
