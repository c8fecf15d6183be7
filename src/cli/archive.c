/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/archive.h"
#include "base/auto.h"
#include "base/err.h"
#include "sys/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

int archive_to(const char *file, struct err *e)
{
	auto_fd int fd = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
			      : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return err_sys(e, "'%s'", file ? file : "standard output");
	if (isatty(fd))
		return err_set(e, ERR_USAGE, "export writes an archive, not to a terminal");
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	return take_fd(&fd);
}

int archive_end(const char *file, int r)
{
	if (r < 0 && file)
		unlink(file);
	return r;
}
