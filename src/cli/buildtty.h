/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buildtty - a build's progress on a terminal: a line per step that is drawn again as time goes.
 *
 * A process of its own draws, so that time goes while the build waits for a step.  Names and output
 * are a Dockerfile's and its programs': what a terminal would obey is escaped.
 */
#ifndef CLI_BUILDTTY_H
#define CLI_BUILDTTY_H

#include <stdbool.h>

struct builder_event;
struct buildtty;

/* NULL: there can be no such process. */
struct buildtty *buildtty_open(bool color);
void buildtty_event(struct buildtty *t, const struct builder_event *ev);
/* Draw the last time; failed: the step's number, 0: none.  t is freed. */
void buildtty_close(struct buildtty *t, unsigned int failed);

#endif
