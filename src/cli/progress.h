/* SPDX-License-Identifier: Apache-2.0 */
/* progress - what a pull or push shows on stderr: a bar per layer on a terminal, plain lines else.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct image_event;

#define PROGRESS_LAYERS 128

struct progress {
	bool quiet, terminal;
	bool pushes;	    /* bytes go, not come */
	unsigned int lines; /* drawn so far, on a terminal */
	struct {
		const char *what;
		char digest[13];
		uint64_t done, total;
	} layers[PROGRESS_LAYERS];
	int64_t drawn_ns;
};

void progress_init(struct progress *p, bool quiet);
/* To be given as struct image_pull_opts' or image_push_opts' progress, with the struct progress as
 * argument. */
void progress_show(const struct image_event *ev, void *arg);
/* The last state is drawn; nothing more follows. */
void progress_done(struct progress *p);

/* "12.3MB" as docker prints sizes: powers of 1000, three digits. */
const char *progress_size(uint64_t bytes, char out[16]);

#endif
