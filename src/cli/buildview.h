/* SPDX-License-Identifier: Apache-2.0 */
/* buildview - what a build shows meanwhile, on stderr: lines, lines that are drawn again, JSON. */
#ifndef CLI_BUILDVIEW_H
#define CLI_BUILDVIEW_H

#include "build/builder.h"

enum buildview_how {
	BUILDVIEW_AUTO, /* TTY on a terminal that is no dumb one, else PLAIN */
	BUILDVIEW_PLAIN,
	BUILDVIEW_TTY,
	BUILDVIEW_RAWJSON,
	BUILDVIEW_QUIET,
	BUILDVIEW_HOW_MAX_
};
extern const char *const buildview_names[];

#define BUILDVIEW_TAIL	2048 /* of a step's output, shown again when it fails */
#define BUILDVIEW_TAILS 32   /* more steps than are ever built at once */

struct buildjson;
struct buildtty;

struct buildview {
	int how;	     /* enum buildview_how, never AUTO */
	bool middle;	     /* the last line of output has no end yet */
	unsigned int number; /* whose it is: stages are built at the same time */
	struct buildview_tail {
		unsigned int number; /* 0: free */
		size_t len;
		char text[BUILDVIEW_TAIL];
	} tails[BUILDVIEW_TAILS]; /* of steps that are under way */
	struct buildtty *tty;
	struct buildjson *json;
};

void buildview_open(struct buildview *v, int how, char *const *environment);
/* builder_opts.progress, with the view as its arg. */
void buildview_event(const struct builder_event *ev, void *view);
/* A line between two builds, unless nothing or only JSON is to be seen. */
void buildview_say(struct buildview *v, const char *text);
/* Nothing more comes; why: of a failure, with the step it was in (0: none). */
void buildview_close(struct buildview *v, unsigned int failed, const char *why);
/* After that: the last whole lines that a step wrote before it failed. */
void buildview_tail(const struct buildview *v, unsigned int number);

#endif
