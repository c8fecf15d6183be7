/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope - the variables that words of a Dockerfile see.
 *
 * ENV wins over ARG.  A value given with --build-arg wins over an ARG's default; an ARG without
 * either takes the global one of its name (an ARG before the first FROM).  Proxy variables and
 * SOURCE_DATE_EPOCH may be given without an ARG.  Source: the Dockerfile reference, ARG.
 */
#ifndef BUILD_SCOPE_H
#define BUILD_SCOPE_H

#include "base/arena.h"
#include "fmt/dockervar.h"

#include <stdbool.h>
#include <stddef.h>

struct dockerfile_instr;
struct err;

#define SCOPE_MAX 4096 /* variables; more fit into no process' environment either */

struct scope_var {
	const char *name, *value; /* value NULL: ARG without one */
	bool env;
};

/* --build-arg NAME=VALUE, and what is known of the platform. */
struct scope_arg {
	const char *name, *value;
	bool used; /* some ARG asked for it, or it needs none */
};

struct scope_args {
	struct scope_arg *v;
	size_t n;
};

struct scope {
	struct scope_var *v;
	size_t n;
	struct scope_args *given;   /* borrowed */
	const struct scope *global; /* of the file; NULL for the global one itself */
	char escape;
	struct arena *a;
	const char *undefined; /* the last name that was asked for and was not there */
};

/* "NAME=VALUE", or "NAME" for the value of environment (environ's form), as --build-arg is given.
 * Errors: ERR_USAGE for an empty name. */
int scope_args_add(struct scope_args *args, const char *text, char *const *environment,
		   struct arena *a, struct err *e);

/* Whether an ARG is unnecessary for it: HTTP_PROXY and its like. */
bool scope_predefined(const char *name);

void scope_init(struct scope *s, const struct scope *global, struct scope_args *given, char escape,
		struct arena *a);

/* KEY=VALUE strings of a base image. */
int scope_env_from(struct scope *s, const struct strs *env, struct err *e);

/* What the stage that this one is built on declared with ARG. */
int scope_arg_from(struct scope *s, const struct scope *base, struct err *e);

/* The value, or NULL. */
const char *scope_get(const struct scope *s, const char *name);

/* One word, or words, with variables replaced. */
int scope_word(struct scope *s, const char *word, const char **out, struct err *e);
int scope_words(struct scope *s, const char *word, struct strs *out, struct err *e);
/* The text of a heredoc, where quotes are ordinary. */
int scope_text(struct scope *s, const char *text, const char **out, struct err *e);

/* An ARG instruction: each name is declared, one after the other. */
int scope_arg(struct scope *s, const struct dockerfile_instr *in, struct err *e);

/* An ENV instruction: all values see the scope as it was before it. */
int scope_env(struct scope *s, const struct dockerfile_instr *in, struct err *e);

/* ENV as KEY=VALUE in the order of their first setting, for a configuration. */
struct strs scope_environment(const struct scope *s);

/* ARG as NAME=VALUE, sorted by name, for a RUN's environment and cache key; ENV hides those of its
 * name. */
struct strs scope_arguments(const struct scope *s);

#endif
