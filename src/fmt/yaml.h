/* SPDX-License-Identifier: Apache-2.0 */
/*
 * yaml - YAML documents of somebody else as JSON text, and JSON text as a YAML document.
 *
 * Reading is for documents that a Kubernetes client would take: YAML 1.1 with string keys; numbers,
 * true, false and null are what JSON knows, 0644 and 0o644 are octal; every other plain scalar is a
 * string.  Anchors and aliases are expanded, and all that comes out is bounded, so a small document
 * cannot become a large one.  Refused by name: tags other than !!str and the like, "<<", keys that
 * are not scalars, %YAML 2.  A key given twice is refused by who reads the JSON (fmt/json.h).
 */
#ifndef FMT_YAML_H
#define FMT_YAML_H

#include <stddef.h>

struct arena;
struct buf;
struct err;
struct strs;

#define YAML_TEXT_MAX  (4u << 20) /* of one reading, before and after */
#define YAML_DEPTH_MAX 60	  /* below JSON_DEPTH_MAX */
#define YAML_DOCS_MAX  1000

/* Append each document, as JSON, to *out; empty ones are left out.  what names the text in errors.
 * Errors: ERR_CORRUPT with the line; ERR_LIMIT; ERR_UNSUPPORTED. */
int yaml_to_json(const char *text, size_t len, const char *what, struct arena *a, struct strs *out,
		 struct err *e);

/* json: an object of ours.  Appends it as a document in block style, without "---". */
int yaml_from_json(const char *json, size_t len, struct buf *out, struct err *e);

#endif
