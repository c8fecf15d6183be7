/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dashfeed - a line of JSON each second: every instance and what it has used so far.
 *
 * Counters, not rates: whoever reads makes those from two lines and their times, and misses nothing
 * when a line is late.
 */
#ifndef DASHBOARD_DASHFEED_H
#define DASHBOARD_DASHFEED_H

struct err;
struct exchange;
struct session;

/* Until the client leaves. */
int dashfeed(struct session *s, struct exchange *x, struct err *e);

#endif
