/* SPDX-License-Identifier: Apache-2.0 */
/*
 * toml - configuration files of others that are written in TOML, told to a callback as they are
 * read.
 *
 * What such files use: tables, arrays of tables, inline tables, basic and literal strings,
 * integers, booleans, arrays, comments.  Multi-line strings are refused by name; floats and dates
 * are told as TOML_OTHER.  Tables are not merged, and keys not checked for being given twice: the
 * last one counts.  Why not a library: docs/decisions/0015-toml-reader-of-our-own.md.
 * Source: TOML v1.0.0.
 */
#ifndef FMT_TOML_H
#define FMT_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

#define TOML_MAX       (1u << 20) /* bytes of a file */
#define TOML_DEPTH_MAX 8

/* TABLE: a table begins (key NULL), [x] or [[x]] or { } as the value of x; its items follow. */
enum toml_type { TOML_TABLE, TOML_STRING, TOML_BOOLEAN, TOML_INTEGER, TOML_OTHER };

struct toml_item {
	const char *table; /* "registry.mirror"; "" at the top */
	const char *key;   /* dotted where it was; in an array, every element comes by its key */
	int type;	   /* enum toml_type */
	const char *string;
	int64_t integer;
	bool boolean;
};

/* what names the file in errors.  fn's first value < 0 is returned.  Strings go into a.
 * Errors: ERR_CORRUPT with the line, ERR_UNSUPPORTED, ERR_LIMIT. */
int toml_read(const char *text, size_t len, const char *what, struct arena *a,
	      int (*fn)(const struct toml_item *i, void *arg, struct err *e), void *arg,
	      struct err *e);

#endif
