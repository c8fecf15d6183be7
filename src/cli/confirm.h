/* SPDX-License-Identifier: Apache-2.0 */
/* confirm - the question before something that cannot be undone. */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

struct err;

/* Ask on the terminal: 1 yes, 0 no.  Where standard input is no terminal nobody can answer:
 * ERR_USAGE, which names command and says --force. */
int confirm_ask(const char *command, const char *what, struct err *e);

#endif
