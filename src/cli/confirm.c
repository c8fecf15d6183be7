/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/confirm.h"
#include "base/err.h"

#include <stdio.h>
#include <unistd.h>

int confirm_ask(bool force, const char *command, const char *what, struct err *e)
{
	char line[16] = "";

	if (force)
		return 1;
	if (!isatty(STDIN_FILENO))
		return err_set(e, ERR_USAGE,
			       "%s asks first, and standard input is not a terminal: use --force",
			       command);
	fprintf(stderr, "This will remove %s.\nGo on? [y/N] ", what);
	fflush(stderr);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	return line[0] == 'y' || line[0] == 'Y';
}
