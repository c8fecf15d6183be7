/* SPDX-License-Identifier: Apache-2.0 */
/* each - commands that do one thing to every instance named. */
#ifndef CLI_EACH_H
#define CLI_EACH_H

struct arena;
struct err;
struct lookup;
struct session;

/* Calls fn for each operand; prints the operand when it worked and a line on stderr when not.
 * Returns 0, or 1 when any failed. */
int each_instance(struct session *s, int argc, char **argv,
		  int (*fn)(struct session *s, struct lookup *l, const void *arg, struct err *e),
		  const void *arg);

/* The same, but what does not exist, or is gone by the time its turn comes, only gets its line on
 * stderr.  Source: `docker rm --force`. */
int each_instance_there(struct session *s, int argc, char **argv,
			int (*fn)(struct session *s, struct lookup *l, const void *arg,
				  struct err *e),
			const void *arg);

/* A name, id or text of somebody's on one line of a terminal: control characters shown as \xNN. */
void each_print(const char *text);

/* An error of one of several, on stderr as main() shows the last one: a name that was typed may
 * hold what a terminal obeys. */
void each_failed(const struct err *e);

#endif
