/* SPDX-License-Identifier: Apache-2.0 */
/* sample - one command run once, timed from outside by one clock. */
#ifndef COMPARE_SAMPLE_H
#define COMPARE_SAMPLE_H

#include <stdint.h>
#include <sys/types.h>

struct err;

#define SAMPLE_TEXT 512

struct sample {
	int64_t first_ns;	   /* start to first byte on stdout or stderr; -1: there was none */
	int64_t total_ns;	   /* start to the end of the process */
	int code;		   /* as a shell has it: 128 + n by signal */
	char out[SAMPLE_TEXT];	   /* beginning of stdout, terminated */
	char err_end[SAMPLE_TEXT]; /* end of stderr, terminated */
	uint64_t bytes;		   /* of both */
};

/* Looks at a command while it runs, every 10 ms. */
struct sample_watch {
	void (*look)(pid_t pid, void *arg);
	void *arg;
};

/* argv[0] is the absolute path.  However much it writes is read and forgotten.  Killed at
 * timeout_ns: ERR_TIMEOUT; and at a signal that is handled: ERR_CANCELED. */
int sample_watched(const char *const *argv, const char *const *env, int64_t timeout_ns,
		   const struct sample_watch *w, struct sample *out, struct err *e);
int sample_run(const char *const *argv, const char *const *env, int64_t timeout_ns,
	       struct sample *out, struct err *e);

#endif
