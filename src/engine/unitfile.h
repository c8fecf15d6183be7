/* SPDX-License-Identifier: Apache-2.0 */
/* unitfile - a unit of systemd that keeps an instance running.  Source: systemd.service(5),
 * systemd.syntax(7). */
#ifndef ENGINE_UNITFILE_H
#define ENGINE_UNITFILE_H

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct err;
struct lookup;
struct session;

struct unitfile_opts {
	bool by_name;	     /* call it by its name, not by its id */
	bool fresh;	     /* the unit makes a new instance at each start */
	const char *restart; /* systemd's Restart= */
	int64_t restart_s;   /* -1: systemd's own */
	int64_t stop_s;	     /* -1: never kill; UNITFILE_OWN_TIME: the instance's own */
};
#define UNITFILE_OWN_TIME -2

/* Append the unit to out.  Errors: ERR_CONFLICT two would restart it, or it goes away when it ends;
 * ERR_UNSUPPORTED it wants a terminal, or cannot be asked for again. */
int unitfile_write(const struct session *s, const struct lookup *l, const struct unitfile_opts *o,
		   struct buf *out, struct err *e);

#endif
