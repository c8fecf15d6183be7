/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jbind - plain-data structs to JSON and back, by one table per struct.
 *
 * The table is the only place where a member's name stands: reading, writing and the schema that
 * tests compare replies with all come from it.  Reading puts every string and list into an arena.
 * Unknown members are ignored unless the table says JBIND_STRICT (OCI documents must ignore them).
 * Errors name the document and the path: "config.json: process.rlimits[2].soft: expected a number".
 */
#ifndef FMT_JBIND_H
#define FMT_JBIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct buf;
struct err;
struct json;

enum jbind_type {
	JBIND_STR,    /* const char *; NULL when absent */
	JBIND_BOOL,   /* bool */
	JBIND_INT,    /* int64_t */
	JBIND_UINT,   /* uint64_t */
	JBIND_I32,    /* int32_t */
	JBIND_U32,    /* uint32_t */
	JBIND_ENUM,   /* int, index into .names */
	JBIND_OBJ,    /* an embedded struct described by .sub */
	JBIND_PTR,    /* pointer to a struct described by .sub, NULL when absent */
	JBIND_LIST,   /* struct { T *v; size_t n; }, T described by .sub */
	JBIND_STRS,   /* struct strs, an array of strings */
	JBIND_NUMS,   /* struct jbind_nums, an array of integers */
	JBIND_MAP,    /* struct jbind_map, an object of strings */
	JBIND_KEYS,   /* struct strs: the member names of an object of empty objects */
	JBIND_OPTINT, /* struct jbind_optint: a number that may be absent or null */
	JBIND_RAW,    /* const char *: the member's JSON text, kept as it is */
};

struct jbind_nums {
	int64_t *v;
	size_t n;
};

struct jbind_pair {
	const char *key, *value;
};

struct jbind_map {
	struct jbind_pair *v;
	size_t n;
};

struct jbind_optint {
	bool set;
	int64_t v;
};

enum jbind_flags {
	JBIND_REQUIRED = 1, /* absent is an error */
	JBIND_KEEP = 2,	    /* written even when empty, zero or false */
};

struct jbind_field {
	const char *key; /* NULL ends the table */
	uint8_t type;
	uint8_t flags;
	uint16_t off;
	const struct jbind *sub;
	const char *const *names; /* JBIND_ENUM: NULL-terminated; "" entries cannot be named */
};

struct jbind {
	size_t size;
	const struct jbind_field *fields;
	bool strict;
};

#define JB(struct_, member, key_, type_, ...)                                                      \
	{                                                                                          \
		.key = (key_), .type = (type_), .off = offsetof(struct_, member), ##__VA_ARGS__    \
	}
#define JB_END                                                                                     \
	{                                                                                          \
		.key = NULL                                                                        \
	}

/* Fill *out (zeroed or with defaults) from j.  what: name of the document in errors. */
int jbind_read(const struct jbind *t, const struct json *j, void *out, struct arena *a,
	       const char *what, struct err *e);

/* json_parse() and jbind_read() in one. */
int jbind_parse(const struct jbind *t, const char *text, size_t len, void *out, struct arena *a,
		const char *what, struct err *e);

/* Call fn with the path ("spec.containers[0].lifecycle") of each member that the table, or one that
 * it names, does not know.  What is not of the table's shape is passed over. */
void jbind_unknown(const struct jbind *t, const struct json *j,
		   void (*fn)(const char *path, void *arg), void *arg);

/* Compact JSON object. */
void jbind_write(const struct jbind *t, const void *in, struct buf *out);

/* The value of key in a map, or NULL. */
const char *jbind_lookup(const struct jbind_map *m, const char *key);

#endif
