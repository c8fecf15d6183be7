/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockervar - words of a Dockerfile: quotes, escapes and variables.
 *
 * $NAME, ${NAME}, ${NAME:-word} ${NAME-word} ${NAME:+word} ${NAME+word} ${NAME:?word} ${NAME?word},
 * ${NAME#pattern} ## % %%, ${NAME/pattern/word} and ${NAME//pattern/word}; a word may hold more of
 * them.  A variable that is not set is empty.  Single quotes keep everything, double quotes keep
 * all but variables.  Source: the Dockerfile reference, "Environment replacement".
 *
 * The author of the Dockerfile is not trusted: results are limited (ENV A=$A$A doubles with each
 * line), nesting is limited, patterns take no more than length times length.
 */
#ifndef FMT_DOCKERVAR_H
#define FMT_DOCKERVAR_H

#include <stdbool.h>

struct arena;
struct err;
struct strs;

#define DOCKERVAR_MAX	    (1 << 20) /* bytes of one result; Linux takes 128 KiB in one argument */
#define DOCKERVAR_DEPTH_MAX 64

struct dockervar {
	/* The value, or NULL when it is not set.  Called for every variable met. */
	const char *(*get)(void *ctx, const char *name);
	void *ctx;
	char escape;	/* '\\' or '`' */
	bool no_quotes; /* quotes are ordinary characters: the text of a heredoc */
};

/* Expand into one string, allocated in a.  Errors: ERR_USAGE for what cannot be read and for a
 * failed
 * ${NAME:?word}, ERR_LIMIT. */
int dockervar_word(const struct dockervar *v, const char *word, struct arena *a, const char **out,
		   struct err *e);

/* The same, and split at blanks outside quotes, those in the value of an unquoted variable too. */
int dockervar_words(const struct dockervar *v, const char *word, struct arena *a, struct strs *out,
		    struct err *e);

#endif
