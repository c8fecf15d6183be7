/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reaper - the little process 1 of --init: it starts the command as its child, passes signals on,
 * reaps orphans, and ends as the command did (its code, or 128 and the signal's number).
 *
 * It is caisson-guest under another name, because that program is static and there anyway; inside
 * an instance it is executed by descriptor, from a read-only mount, so that neither a file in the
 * image nor a way to the program on the host exists (CVE-2019-5736).
 */
#ifndef RUNTIME_REAPER_H
#define RUNTIME_REAPER_H

#define REAPER_NAME "caisson-init" /* argv[0] */

/* argv: REAPER_NAME, the command's path, the command's argv.  Never returns. */
_Noreturn void reaper_main(int argc, char **argv);

#endif
