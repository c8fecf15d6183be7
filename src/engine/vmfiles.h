/* SPDX-License-Identifier: Apache-2.0 */
/* vmfiles - a request about the files of a VM that runs, done by its agent (guest/guestfiles.h). */
#ifndef ENGINE_VMFILES_H
#define ENGINE_VMFILES_H

#include <stdint.h>

struct buf;
struct err;
struct instance;
struct session;
struct strs;

struct vmfiles {
	const struct strs *words; /* files/filework.h */
	int in, out;		  /* the archive in, or out; -1: neither */
	uint64_t max;		  /* bytes of the archive out; 0: no limit */
	struct buf *answer;	  /* what else it says; NULL: nothing is expected */
};

/* SIGPIPE is to be ignored by the program.  Errors: what the guest says, which is not trusted to be
 * true; ERR_CONFLICT it does not run. */
int vmfiles_run(struct session *s, const struct instance *i, const struct vmfiles *v,
		struct err *e);

#endif
