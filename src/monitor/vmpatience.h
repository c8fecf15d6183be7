/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmpatience - a guest that is up and does not answer: what an EXEC or a question waits for has an
 * end.  Private to the monitor's VM workload, whose state stands here.
 */
#ifndef MONITOR_VMPATIENCE_H
#define MONITOR_VMPATIENCE_H

#include "base/arena.h"
#include "monitor/loop.h"
#include "monitor/outq.h"
#include "monitor/server.h"
#include "spec/wire.h"

#include <stdbool.h>
#include <stdint.h>

struct cgroup;
struct vm;

/* A question that the guest was asked. */
struct asked {
	uint32_t stream;
	uint16_t type; /* enum wire_type */
	struct server_asker who;
	int64_t until_ns;
	struct asked *next;
};
#define ASKED_FIRST 0x80000000u /* streams above those of processes */
#define ASKED_MAX   64		/* a guest that does not answer is asked no more */

struct machine {
	struct server *server;
	struct vm *vm;
	struct cgroup *cgroup;
	struct watch stream, text, ended, timer, patience;
	struct wire_reader reader;
	struct outq out;
	/* From HOLD to LETGO the guest is told nothing, so that nothing is under way in a snapshot:
	 * it waits in .parked. */
	struct outq parked;
	bool saving;
	struct server_asker saver;
	int save_dir;
	int64_t save_from_ns;
	bool greeted, dying;
	bool over; /* the maker of a template has answered: the instance's own machine follows */
	bool oom;  /* in the guest */
	uint32_t ooms;	      /* as it counts them */
	int64_t oom_told_ns;  /* when that became an event */
	bool linger, lingers; /* it is to stay after its main process, and does */
	struct asked *asked;
	uint32_t asked_last, asked_count;
	/* What it booted with; a running machine cannot have more. */
	uint64_t memory_bytes;
	uint64_t limit_bytes; /* of its memory, as it was last updated */
	uint32_t cpus;
	const char *cpuset; /* each virtual CPU on one of these; NULL: wherever */
	struct strs taps;
	struct arena arena; /* of .taps and .cpuset */
};

/* The windows of one process's stream. */
struct gate {
	size_t may_send;  /* stdin bytes */
	size_t ungranted; /* output bytes taken and not yet granted anew */
	bool eof_sent;
	int64_t until_ns;	    /* for the answer to EXEC; 0: none is awaited */
	unsigned int rows, columns; /* asked for before it ran; 0: not */
};

static inline struct machine *machine_of(struct server *s)
{
	return s->work;
}

static inline struct gate *gate_of(struct proc *p)
{
	return p->work;
}

/* When the answer to what is asked now is late. */
int64_t vmpatience_until(void);
/* Look every quarter of the limit while anything is awaited: what is late is failed or refused. */
void vmpatience_set(struct machine *m);

#endif
