/* SPDX-License-Identifier: Apache-2.0 */
/* restart - instances that exist already are started, and started again. */
#ifndef ENGINE_RESTART_H
#define ENGINE_RESTART_H

#include <stdbool.h>

struct conn;
struct control_stop;
struct err;
struct instance;
struct lookup;
struct session;
struct start_opts;

/* As start_instance(), with the lock taken and what an earlier run left cleared. */
int restart_begin(struct session *s, const struct instance *i, const struct start_opts *o,
		  struct conn *out, struct err *e);
/* Start in the background and wait until it runs.  Running already is success. */
int restart_start(struct session *s, const struct instance *i, struct err *e);
/* Stop, if it runs, and start. */
int restart_instance(struct session *s, const struct lookup *l, const struct control_stop *how,
		     struct err *e);

/* A policy owes it a start (st.restarting) and no monitor lives: start it, unless somebody else was
 * faster or took the debt back. */
int restart_owed(struct session *s, const char *id, struct err *e);

/* The host has booted: start what policies want to run; one that cannot be started is told to
 * failed() and does not keep the others from it. */
int restart_boot(struct session *s, void (*failed)(const struct instance *i, const struct err *why),
		 struct err *e);

/* Was it made with a terminal? */
bool restart_has_tty(const struct instance *i);

#endif
