/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apipipe - bodies and answers for verbs of the engine that read or write a descriptor.
 *
 * One process does the verb, another moves the bytes between pipe and connection.
 */
#ifndef API_APIPIPE_H
#define API_APIPIPE_H

struct apicall;
struct err;

struct apipipe {
	int (*run)(struct apicall *c, int fd, void *arg, struct err *e);
	void *arg;
};

/* The answer is what run() writes (in a process of its own: nothing else it does is seen).  It
 * begins with the first byte: what fails before has a status, what fails later cuts it off. */
int apipipe_out(struct apicall *c, const char *type, const struct apipipe *p, struct err *e);

/* run() reads the body.  Ends early when the body does (ERR_CANCELED).  ERR_USAGE: it says to be
 * something that is no archive. */
int apipipe_in(struct apicall *c, const struct apipipe *p, struct err *e);

#endif
