/* SPDX-License-Identifier: Apache-2.0 */
/* sample - one command run once, timed from outside by one clock. */
#ifndef COMPARE_SAMPLE_H
#define COMPARE_SAMPLE_H

#include <stdint.h>

struct err;

#define SAMPLE_TEXT 512

struct sample {
	int64_t first_ns; /* start to first byte on stdout or stderr; -1: there was none */
	int64_t total_ns; /* start to the end of the process */
	int code;	  /* as a shell has it: 128 + n by signal */
	char out[SAMPLE_TEXT], err[SAMPLE_TEXT]; /* beginning of each stream, terminated */
};

/* argv[0] is the absolute path.  Killed at timeout_ns: ERR_TIMEOUT. */
int sample_run(const char *const *argv, const char *const *env, int64_t timeout_ns,
	       struct sample *out, struct err *e);

#endif
