/* SPDX-License-Identifier: Apache-2.0 */
/* stop - an instance is asked to end, wherever it stands between two runs. */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

struct control_stop;
struct err;
struct instance;
struct session;

/* Returns when it has ended and will not be started again by its restart policy: 0, or 1 when there
 * was nothing to stop. */
int stop_instance(struct session *s, const struct instance *i, const struct control_stop *how,
		  struct err *e);

#endif
