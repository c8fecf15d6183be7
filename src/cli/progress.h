/* SPDX-License-Identifier: Apache-2.0 */
/*
 * progress - what a pull, push or copy shows on stderr: a bar per layer on a terminal, plain lines
 * else, or JSON.
 *
 * JSON is an object a line: "event" (resolved, exists, fetch, bytes, unpack, done, push, mounted),
 * "source", "digest", "layer" of "layers", "done" of "total" bytes.  No colours are used.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "base/opt.h"

#include <stdbool.h>
#include <stdint.h>

struct image_event;
struct session;

#define PROGRESS_LAYERS 128

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_TTY,
	PROGRESS_PLAIN,
	PROGRESS_JSON,
	PROGRESS_NONE,
	PROGRESS_MODE_MAX_
};

/* --progress and --quiet, as a table for a command's own. */
struct progress_args {
	bool quiet;
	int mode; /* enum progress_mode */
};
extern const struct opt progress_opts[];

struct progress {
	int mode;	    /* never PROGRESS_AUTO */
	bool pushes;	    /* bytes go, not come */
	unsigned int lines; /* drawn so far, on a terminal */
	struct {
		const char *what;
		char digest[13];
		uint64_t done, total;
		bool over;
	} layers[PROGRESS_LAYERS];
	int64_t drawn_ns;
};

void progress_init(struct progress *p, const struct progress_args *a, const struct session *s);
/* To be given as struct image_pull_opts' or image_push_opts' progress, with the struct progress as
 * argument. */
void progress_show(const struct image_event *ev, void *arg);
/* The last state is drawn; nothing more follows. */
void progress_done(struct progress *p);

/* "12.3MB" as docker prints sizes: powers of 1000, three digits. */
const char *progress_size(uint64_t bytes, char out[16]);

#endif
