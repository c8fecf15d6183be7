/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyfile - what --env-file and --label-file name: one KEY=VALUE or KEY a line.
 *
 * The rules are those of docker's command line (docker/cli, opts/file.go) and not a shell's: blanks
 * before the key go, everything behind the first '=' is the value as it stands (quotes, blanks,
 * further '=', '#'), a line that begins with '#' is a comment, a byte order mark and the CR of CRLF
 * go, nothing is joined or expanded.
 */
#ifndef FMT_KEYFILE_H
#define FMT_KEYFILE_H

#include "base/arena.h"

#include <stddef.h>

#define KEYFILE_LINE_MAX (64u << 10) /* bytes of a line, as docker's reader allows */

struct err;

/* *out: "KEY=VALUE" or "KEY", in order, in a.  what: names the file in errors.  ERR_USAGE: a key
 * that is empty or holds blanks, a line that is not UTF-8, holds a NUL or is too long. */
int keyfile_parse(const char *text, size_t len, const char *what, struct arena *a, struct strs *out,
		  struct err *e);

#endif
