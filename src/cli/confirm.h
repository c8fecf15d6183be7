/* SPDX-License-Identifier: Apache-2.0 */
/* confirm - the question before something that cannot be undone. */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include <stdbool.h>

struct err;

/* Ask on the terminal: 1 yes (force: without asking), 0 no.  Where standard input is no terminal
 * nobody can answer: ERR_USAGE, which names command and says --force. */
int confirm_ask(bool force, const char *command, const char *what, struct err *e);

#endif
