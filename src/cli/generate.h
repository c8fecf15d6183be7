/* SPDX-License-Identifier: Apache-2.0 */
/* generate - help, man pages and the JSON description, from the command table. */
#ifndef CLI_GENERATE_H
#define CLI_GENERATE_H

struct buf;
struct cmd;
struct err;
struct opt;

/* What `caisson help` prints: commands by group, and the global options. */
void generate_overview(const struct opt *globals, struct buf *out);
/* What `caisson COMMAND --help` prints. */
void generate_help(const struct cmd *c, struct buf *out);
/* what: "help" or "json", for all commands; "man": the page of the command name, or with NULL the
 * overview. */
int generate_all(const char *what, const char *name, const struct opt *globals, struct buf *out,
		 struct err *e);

#endif
