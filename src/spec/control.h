/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - the JSON payloads of frames between a client (CLI, API) and a monitor.
 * The protocol is described in docs/protocols/control.md.
 */
#ifndef SPEC_CONTROL_H
#define SPEC_CONTROL_H

#include "spec/plan.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTROL_VERSION	     1
#define CONTROL_STDIN_WINDOW (256u << 10) /* bytes a client may send on a stream before WINDOW */
#define CONTROL_CLIENTS_MAX  64
#define CONTROL_STREAMS_MAX  64 /* of one client */

struct control_hello {
	int32_t version;
	const char *program;
};
extern const struct jbind control_hello_table;

struct control_attach {
	bool in, out, err; /* which of the three */
	bool owner;	   /* output waits for this client instead of dropping it */
};
extern const struct jbind control_attach_table;

struct control_start {
	bool reap; /* this client removes what is left when the instance has ended */
	bool tied; /* when this client is gone the instance is killed: a build's step */
};
extern const struct jbind control_start_table;

struct control_exec {
	struct plan_process process;
	bool in, out, err;
	struct jbind_optint rows, columns;
};
extern const struct jbind control_exec_table;

struct control_stop {
	int64_t signal;			/* 0: the instance's own */
	struct jbind_optint timeout_ms; /* unset: the instance's own; < 0: never kill */
	bool
	    discard; /* it is being removed: output that a client has not read by its end is lost */
};
extern const struct jbind control_stop_table;

/* What of a running instance is to change; absent members stay. */
struct control_update {
	struct plan_resources *resources;
	const char *resources_json; /* the same as text, filled by control_update_in_table */
	const char *name;	    /* it has been renamed */
	const char *restart;	    /* as of policy_parse() */
};
/* Save the machine into a directory that is empty (vmm/vmsnapshot.h); the answer says how long it
 * stood still. */
struct control_snapshot {
	const char *dir;
};
struct control_snapshot_done {
	int64_t pause_ns;
};
extern const struct jbind control_snapshot_table, control_snapshot_done_table;

extern const struct jbind control_update_table;	   /* to write */
extern const struct jbind control_update_in_table; /* to read: .resources_json for .resources */

#endif
