/* SPDX-License-Identifier: Apache-2.0 */
/* top - the processes of an instance, as its monitor or the agent in its guest lists them: the
 * answer to a TOP frame (docs/protocols/control.md). */
#ifndef SPEC_TOP_H
#define SPEC_TOP_H

#include "fmt/jbind.h"

#include <stddef.h>
#include <stdint.h>

struct top_process {
	int64_t pid, ppid; /* as seen by who lists: the host, or the guest */
	uint32_t uid;
	const char *state;	    /* one letter */
	int64_t tty, nice, threads; /* tty: device number, 0 for none */
	int64_t cpu_ms, started_ms; /* started: since the epoch */
	uint64_t vsize_bytes, rss_bytes;
	const char *comm,
	    *args; /* args: separated by blanks; empty for a kernel thread or zombie */
};

struct top_list {
	uint64_t memory_bytes; /* of the machine that runs them */
	struct {
		struct top_process *v;
		size_t n;
	} processes;
};

extern const struct jbind top_table;

#endif
