/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dockerfile - a Dockerfile as a list of instructions.  Nothing is expanded and no file is opened:
 * what a word means is decided by src/build, when the variables are known.
 *
 * Parser directives, continuation lines, comments, heredocs, flags, JSON and shell forms are taken
 * apart here.  Source: the Dockerfile reference (syntax 1.x).  Every error names a line.
 *
 * The text is hostile: sizes are limited, there is no recursion (ONBUILD holds one instruction, not
 * another ONBUILD), and the time is proportional to the size.
 */
#ifndef FMT_DOCKERFILE_H
#define FMT_DOCKERFILE_H

#include "base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct err;

#define DOCKERFILE_MAX		    (16 << 20) /* bytes */
#define DOCKERFILE_INSTRUCTIONS_MAX 200000
#define DOCKERFILE_FLAGS_MAX	    256 /* of one instruction */
#define DOCKERFILE_HEREDOCS_MAX	    256

/* kind, name, the flags it takes (with '=': wants a value) */
#define DOCKERFILE_KINDS(X)                                                                        \
	X(ADD, "ADD", "checksum= chmod= chown= exclude= keep-git-dir link unpack")                 \
	X(ARG, "ARG", "")                                                                          \
	X(CMD, "CMD", "")                                                                          \
	X(COPY, "COPY", "chmod= chown= exclude= from= link parents")                               \
	X(ENTRYPOINT, "ENTRYPOINT", "")                                                            \
	X(ENV, "ENV", "")                                                                          \
	X(EXPOSE, "EXPOSE", "")                                                                    \
	X(FROM, "FROM", "platform=")                                                               \
	X(HEALTHCHECK, "HEALTHCHECK", "interval= retries= start-interval= start-period= timeout=") \
	X(LABEL, "LABEL", "")                                                                      \
	X(MAINTAINER, "MAINTAINER", "")                                                            \
	X(ONBUILD, "ONBUILD", "")                                                                  \
	X(RUN, "RUN", "device= mount= network= security=")                                         \
	X(SHELL, "SHELL", "")                                                                      \
	X(STOPSIGNAL, "STOPSIGNAL", "")                                                            \
	X(USER, "USER", "")                                                                        \
	X(VOLUME, "VOLUME", "")                                                                    \
	X(WORKDIR, "WORKDIR", "")

enum dockerfile_kind {
#define X(k, name, flags) DOCKERFILE_##k,
	DOCKERFILE_KINDS(X)
#undef X
	    DOCKERFILE_KIND_MAX_
};

/* --name or --name=value */
struct dockerfile_flag {
	const char *name;
	const char *value; /* NULL without '=' */
};

/* KEY=VALUE of ENV and LABEL, NAME[=VALUE] of ARG.  Quotes and variables are still in it. */
struct dockerfile_pair {
	const char *key;
	const char *value; /* NULL: ARG NAME */
};

struct dockerfile_heredoc {
	const char *name;    /* the word that ends it, without quotes */
	const char *content; /* every line with its '\n'; tabs removed for <<- */
	bool expand;	     /* the word was not quoted */
	bool chomp;	     /* <<- */
	unsigned int fd;     /* 3<<WORD: what the shell would call it; 0 by default */
};

struct dockerfile_instr {
	enum dockerfile_kind kind;
	int line, last_line; /* 1-based, heredocs included */
	const char *source;  /* continuations joined, comments gone: "RUN --mount=.. make all" */
	struct dockerfile_flag *flags;
	size_t flags_n;
	bool json; /* args came as ["a", "b"] */
	/* By kind.  ADD COPY EXPOSE FROM VOLUME: the words (raw unless .json).  RUN CMD ENTRYPOINT
	 * SHELL and a health check's command: the JSON words, or one string for the shell.
	 * HEALTHCHECK: "NONE", or "CMD" and then those.  Others: one string. */
	struct strs args;
	struct dockerfile_pair *pairs; /* ARG ENV LABEL */
	size_t pairs_n;
	struct dockerfile_heredoc *heredocs; /* ADD COPY RUN, in order of their words */
	size_t heredocs_n;
	struct dockerfile_instr *child; /* ONBUILD */
};

enum dockerfile_oddity { /* for the checks: legal, and to be avoided */
			 DOCKERFILE_EMPTY_CONTINUATION =
			     1,			     /* an empty line inside an instruction */
			 DOCKERFILE_LEGACY_PAIR = 2, /* ENV KEY VALUE */
			 DOCKERFILE_MIXED_CASE = 4,  /* some instructions in capitals, some not */
};

struct dockerfile {
	char escape;	    /* '\\', or '`' by the directive */
	const char *syntax; /* # syntax=, NULL without */
	const char *check;  /* # check= */
	struct dockerfile_instr *v;
	size_t n;
	unsigned int oddities; /* enum dockerfile_oddity, of the whole file */
	int oddity_line;       /* of the first one */
};

extern const char *const dockerfile_names[]; /* by kind */

/* Parse.  name ("Dockerfile") stands in front of errors as "name:line: "; *line gets the line of an
 * error (0: none in particular) and may be NULL.  Everything lives in a.  Errors: ERR_USAGE,
 * ERR_LIMIT. */
int dockerfile_parse(const char *text, size_t len, const char *name, struct arena *a,
		     struct dockerfile **out, int *line, struct err *e);

/* One instruction by itself: `commit --change`, and the ONBUILD of a base image. */
int dockerfile_parse_one(const char *text, size_t len, const char *name, struct arena *a,
			 struct dockerfile_instr **out, struct err *e);

/* The value of a flag, NULL when it is not there; "" for one without '='.  The last one wins. */
const char *dockerfile_flag(const struct dockerfile_instr *in, const char *name);

#endif
