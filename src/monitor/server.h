/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server - the state of one running instance: its processes, who listens to them, its end.
 *
 * States: made (the workload waits for START) -> running -> ended (exit.json is written, clients
 * get EXIT) -> gone (every client has been told; the loop stops).  Where a policy wants it, ended
 * -> waiting -> gone, and the program that the monitor becomes starts the instance again; a STOP
 * while waiting goes back to ended.
 *
 * Invariants:
 *  1. exit.json is written before any client hears of the end, and the last output before EXIT.
 *  2. A client that does not read never stops the others: output waits for the owner of a process
 *     only (like a pipe would); any other client whose queue is full is dropped.
 *  3. Every queue is bounded: a client's at CLIENT_QUEUE_MAX, a process's stdin by the window its
 *     clients were given.
 *  4. If the client of the first connection goes away before START, nothing was ever started.
 */
#ifndef MONITOR_SERVER_H
#define MONITOR_SERVER_H

#include "base/err.h"
#include "fmt/jbind.h"
#include "monitor/checkup.h"
#include "monitor/logsink.h"
#include "monitor/loop.h"
#include "monitor/outq.h"
#include "monitor/teller.h"
#include "spec/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct client;
struct plan;
struct plan_process;
struct proc;
struct server;

/* One client's interest in one process, under the stream number the client chose. */
struct link {
	struct client *client;
	struct proc *proc;
	uint32_t stream;
	bool in, out, err, owner;
	size_t in_pending;	   /* bytes it sent that the process has not taken yet */
	struct link *next_of_proc; /* lists of both sides */
	struct link *next_of_client;
};

struct proc {
	struct server *server;
	struct proc *next;
	uint32_t number; /* 1: the main process */
	bool tty;
	bool wants_input;    /* a stdin that clients may write to */
	bool started, ended; /* ended: .status is valid */
	bool tied;	     /* it is killed when nobody is connected to it any more */
	bool congested;	     /* the owner's queue is full: hold output back */
	int status;	     /* as wait(2) gives it */
	struct outq in;	     /* for its stdin */
	bool in_eof;	     /* close stdin behind .in */
	struct link *links;
	void *work; /* the workload's part, freed by ops->forget */
};

/* Who waits for an answer, and to what. */
struct server_asker {
	uint32_t serial, stream; /* the client, and its stream */
};
struct server_question {
	uint16_t type; /* enum wire_type */
	struct server_asker who;
	const char *json; /* of an UPDATE */
	size_t len;
};

/* What differs between a container and a VM. */
struct workload_ops {
	/* Everything but running.  On failure nothing is left. */
	int (*create)(struct server *s, struct err *e);
	/* Ends in server_started() or server_failed(), now or later. */
	void (*start)(struct server *s);
	int (*exec)(struct server *s, struct proc *p, const struct plan_process *process,
		    struct err *e);
	int (*deliver)(struct server *s, struct proc *p, int sig, struct err *e);
	void (*resize)(struct server *s, struct proc *p, unsigned int rows, unsigned int columns);
	void (*input)(struct proc *p); /* pass on what .in and .in_eof hold */
	void (*flow)(struct proc *p);  /* .congested became false */
	int (*kill)(struct server *s, struct err *e);
	int (*freeze)(struct server *s, bool frozen, struct err *e);
	/* STATS, TOP, UPDATE: ends in client_answer() or client_refuse(), now or later, or fails.
	 */
	int (*ask)(struct server *s, const struct server_question *q, struct err *e);
	bool (*oom)(struct server *s); /* was anything of it killed for want of memory? */
	void (*forget)(struct proc *p);
	void (*end)(struct server *s); /* remove what outlives the processes; may run twice */
};
extern const struct workload_ops workload_container_ops, workload_vm_ops, workload_in_ops;

#define SERVER_TAPS_MAX 16

/* Descriptors and paths the engine handed over. */
struct server_setup {
	int plan_fd, conn_fd, lock_fd;
	int taps[SERVER_TAPS_MAX]; /* of a VM, one for each network card of the plan */
	size_t n_taps;
	const char *libexec, *data, *self, *root, *run_root;
	const char *address; /* of the instance, for start.json */
	bool address_set;
};

struct server {
	struct loop loop;
	const struct server_setup *setup;
	const struct workload_ops *ops;
	void *work;
	int state_fd, run_fd; /* directories of the instance */
	struct watch listener, stop_timer, restart_timer, term;
	struct logsink log;
	struct teller teller;
	struct checkup checkup;
	struct proc *procs; /* the main one is last */
	struct client *clients;
	uint32_t last_number, last_serial;
	bool start_asked, started, ended, reaped_by_client, frozen;
	bool stop_asked; /* by a client: its end is a stop, and no policy starts it again */
	bool going_down; /* the host stops: no policy starts it again now */
	bool waiting;	 /* it has ended and is to be started again when restart_timer is due */
	bool oom_told;	 /* by an event */
	bool oom;	 /* something of it was killed for want of memory */
	bool again;	 /* the wait is over */
	struct policy policy;
	int64_t restarts, restart_wait_ms, started_ns;
	struct jbind_optint oom_score; /* what its processes have; unset: as this one */
	bool discard;		       /* it is being removed: at its end nobody is waited for */
	bool auto_remove, stdin_once;
	int exit_status; /* of this program */
	const char *stop_signal;
	int stop_number;
	int64_t stop_timeout_ms;
	struct err failure; /* why it could not start, or go on */
};

/* Runs the instance to its end.  Returns what the program exits with. */
int server_run(const struct server_setup *setup, struct err *e);
/* The plan, parsed anew from its memfd: it is not kept, to keep the monitor small. */
struct arena;
int server_plan(struct server *s, struct arena *a, struct plan **out, struct err *e);

struct proc *server_main(struct server *s);
struct proc *server_new_proc(struct server *s, bool tty, bool wants_input);
void server_drop_proc(struct proc *p);

/* From workloads. */
void server_started(struct proc *p, int64_t pid);
void server_failed(struct proc *p, const struct err *why);
/* data: len > 0 bytes of output. */
void server_output(struct proc *p, enum logfile_stream s, const char *data, size_t len);
void server_exited(struct proc *p, int status);
/* The main process has ended, and what it ran in has not: who is attached is told, and the
 * instance runs until server_exited(). */
void server_lingers(struct proc *p, int status);
/* Something of it was killed for want of memory. */
void server_oom(struct server *s);
/* A reason to hold output back may be gone. */
void server_flow(struct proc *p);
/* n bytes of .in were passed on (and removed by the caller). */
void server_took(struct proc *p, size_t n);

/* From clients. */
int server_stop(struct server *s, int sig, int64_t timeout_ms, struct err *e);
/* Waiting is over before its time: it stays ended, as if it had been stopped. */
void server_stay_ended(struct server *s);
void server_client_gone(struct server *s, struct client *c);
/* Called whenever a queue got shorter or a client went: may be the end. */
void server_settle(struct server *s);

#endif
