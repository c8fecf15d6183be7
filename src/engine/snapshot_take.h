/* SPDX-License-Identifier: Apache-2.0 */
/* snapshot_take - what an instance is now, into a directory: the parts of a snapshot. */
#ifndef ENGINE_SNAPSHOT_TAKE_H
#define ENGINE_SNAPSHOT_TAKE_H

struct arena;
struct err;
struct lookup;
struct session;
struct snapshot;
struct stage;

enum snapshot_memory { SNAPSHOT_MEMORY_AUTO, SNAPSHOT_MEMORY_ON, SNAPSHOT_MEMORY_OFF };
extern const char *const snapshot_take_memory[]; /* "auto", "on", "off", NULL */

#define SNAPSHOT_TAKE_DIR "s" /* in the stage */

/* Fills the directory and *out but for its name and files.  Errors: ERR_UNSUPPORTED memory that
 * cannot be saved and was asked for, ERR_CONFLICT a paused VM. */
int snapshot_take_run(struct session *s, const struct lookup *l, int memory, struct stage *stage,
		      struct arena *a, struct snapshot *out, struct err *e);

/* An image that was made for a snapshot goes when nobody needs it any more. */
void snapshot_take_drop(struct session *s, const char *image_id);

#endif
