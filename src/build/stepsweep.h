/* SPDX-License-Identifier: Apache-2.0 */
/* stepsweep - instances of steps whose build was killed: each has a label that names its build's
 * stage directory, whose lock says whether that build lives. */
#ifndef BUILD_STEPSWEEP_H
#define BUILD_STEPSWEEP_H

#define STEPSWEEP_LABEL "caisson.build"

struct session;
struct store;

/* Never fails: what cannot go now goes next time. */
void stepsweep(struct session *s, struct store *store);

#endif
