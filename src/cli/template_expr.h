/* SPDX-License-Identifier: Apache-2.0 */
/*
 * template_expr - what stands between {{ and }}: values, functions, pipes and parentheses.
 *
 * A value is a JSON value of the document, or a text, number or truth of our own.  Comparisons look
 * at what is printed, so that 0 and "0" are equal; numbers are ordered as numbers.
 */
#ifndef CLI_TEMPLATE_EXPR_H
#define CLI_TEMPLATE_EXPR_H

#include "base/arena.h"

#include <stdbool.h>

struct buf;
struct err;
struct json;

struct template_value {
	enum { TEMPLATE_NONE, TEMPLATE_JSON, TEMPLATE_TEXT, TEMPLATE_NUMBER, TEMPLATE_TRUTH } kind;
	const struct json *j; /* JSON; NULL is null */
	const char *text;     /* the others, as printed */
};

struct template_var {
	const char *name; /* "$k" */
	size_t len;
	struct template_value v;
	const struct template_var *up;
};

struct template_owned { /* a JSON value that a function made */
	struct json *j;
	struct template_owned *next;
};

struct template_run {
	struct arena *a;
	struct err *e;
	const struct json *root;
	struct template_owned *owned;
};

struct template_scope {
	struct template_value dot;
	const struct template_var *vars;
};

/* The text from *p to end as an expression; *p is left behind it.  ERR_USAGE names what is not
 * understood. */
int template_expr(struct template_run *r, const char **p, const char *end,
		  const struct template_scope *s, struct template_value *out);

/* As Go prints it. */
const char *template_expr_text(struct template_run *r, const struct template_value *v);
/* As Go's if takes it. */
bool template_expr_truth(struct template_run *r, const struct template_value *v);
/* Something in the template is not understood: "template: cannot understand '...'". */
int template_expr_bad(struct template_run *r, const char *at, const char *end);

#endif
