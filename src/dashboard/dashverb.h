/* SPDX-License-Identifier: Apache-2.0 */
/* dashverb - what the page does that docker's API has no word for: clones and snapshots. */
#ifndef DASHBOARD_DASHVERB_H
#define DASHBOARD_DASHVERB_H

struct err;
struct exchange;
struct session;

/* POST /instances/NAME/clone: {"names": [...]}; POST /instances/NAME/snapshot: {"name": ...}.  The
 * body says nothing. */
int dashverb(struct session *s, struct exchange *x, const char *path, struct err *e);

#endif
