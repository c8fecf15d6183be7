/* SPDX-License-Identifier: Apache-2.0 */
/* dashpage - the page's own files, and the last comparison's. */
#ifndef DASHBOARD_DASHPAGE_H
#define DASHBOARD_DASHPAGE_H

struct err;
struct exchange;
struct session;

/* The directory of the page's files, to be closed.  ERR_UNSUPPORTED: they were not built. */
int dashpage_open(struct session *s, struct err *e);

/* path: behind the secret. */
int dashpage(struct session *s, int assets, struct exchange *x, const char *path, struct err *e);

#endif
