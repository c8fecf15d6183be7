/* SPDX-License-Identifier: Apache-2.0 */
/*
 * glob - the two pattern languages of a build: the paths of .dockerignore and COPY --exclude, and
 * the shell patterns of ${NAME#pattern}.
 *
 * Both are run as a set of states over the text, one character (UTF-8 sequence, or a byte that is
 * none) at a time: the time is at most length of text times length of pattern, whatever the
 * pattern, since a Dockerfile's author chooses both.
 *
 * Path patterns, as Docker documents them (Go's filepath.Match and "**"): '*' and '?' stay within
 * one component, "**" crosses them, "**" + '/' also matches no directory at all, [a-z] and [^a-z]
 * are classes, '\' takes away the meaning of the next character. Shell patterns: '*' and '?' match
 * anything, '\' as above, '[' is an ordinary character.
 */
#ifndef FMT_GLOB_H
#define FMT_GLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct arena;
struct err;

#define GLOB_PATTERN_MAX 8192 /* bytes; two paths of the longest kind */

struct glob_token;
struct glob {
	const struct glob_token *v;
	size_t n;
};

/* Compile.  The tokens live in a and point into pattern.  Errors: ERR_USAGE for a class without
 * end, ERR_LIMIT above GLOB_PATTERN_MAX. */
int glob_path(const char *pattern, struct arena *a, struct glob *out, struct err *e);
int glob_shell(const char *pattern, size_t len, struct arena *a, struct glob *out, struct err *e);

/* Whether all of the text matches. */
bool glob_match(const struct glob *g, const char *text, size_t len);

/* Whether path matches, or one of the directories it is in. */
bool glob_match_beneath(const struct glob *g, const char *path);

/* Whether something that begins with text could match. */
bool glob_alive(const struct glob *g, const char *text, size_t len);

/* Bytes of the shortest or longest beginning of text that matches, -1 when none does. */
ssize_t glob_prefix(const struct glob *g, const char *text, size_t len, bool longest);

/* The same for the end of text. */
ssize_t glob_suffix(const struct glob *g, const char *text, size_t len, bool longest);

#endif
