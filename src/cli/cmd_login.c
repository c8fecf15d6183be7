/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/str.h"
#include "cli/cmd.h"
#include "engine/registry_login.h"
#include "engine/session.h"
#include "sys/fd.h"

#include <stdio.h>
#include <termios.h>

struct login_args {
	const char *user, *password;
	bool password_stdin;
};

static const struct opt login_opts[] = {
    OPT(struct login_args, password, .name = "password", .letter = 'p', .type = OPT_STR,
	.arg = "PASSWORD", .help = "the password, which others may see in the process list"),
    OPT(struct login_args, password_stdin, .name = "password-stdin", .type = OPT_BOOL,
	.help = "read the password from standard input"),
    OPT(struct login_args, user, .name = "username", .letter = 'u', .type = OPT_STR, .arg = "USER",
	.help = "the user's name"),
    OPT_END,
};

/* A line byte by byte, since the terminal does neither echo nor signals meanwhile: whatever ends
 * this command must not leave it so. */
static int read_line(char *out, size_t size, bool echo, struct err *e)
{
	size_t n = 0;
	char c;

	for (;;) {
		ssize_t r = read(STDIN_FILENO, &c, 1);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0 || c == 3 || (c == 4 && n == 0))
			return err_set(e, ERR_CANCELED, "canceled");
		if (c == '\n' || c == '\r')
			break;
		if ((c == 8 || c == 127) && !echo)
			n -= n > 0;
		else if (c == 21 && !echo)
			n = 0;
		else if (n + 1 == size)
			return err_set(e, ERR_LIMIT, "more than %zu bytes", size - 1);
		else
			out[n++] = c;
	}
	out[n] = '\0';
	return 0;
}

static int prompt(const char *what, char *out, size_t size, bool echo, struct err *e)
{
	struct termios before, quiet;
	int r;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) < 0)
		return err_set(e, ERR_USAGE,
			       "without a terminal, give --username and --password-stdin");
	/* Set first: it throws away what was typed before there was a question. */
	quiet = before;
	if (!echo) {
		quiet.c_lflag &= ~(tcflag_t)(ECHO | ISIG | ICANON);
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	}
	fprintf(stderr, "%s: ", what);
	r = read_line(out, size, echo, e);
	if (!echo) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fprintf(stderr, "\n");
	}
	return r;
}

/* Without the end of its line, which is echo's and not the password's. */
static int from_stdin(char *out, size_t size, struct err *e)
{
	auto_free char *text = NULL;
	ssize_t n = fd_slurp(STDIN_FILENO, size - 3, &text);

	if (n == -EFBIG)
		return err_set(e, ERR_USAGE, "a password has at most %zu bytes", size - 3);
	if (n < 0) {
		errno = (int)-n;
		return err_sys(e, "standard input");
	}
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (n > 0 && text[n - 1] == '\r')
		n--;
	if (memchr(text, 0, (size_t)n))
		return err_set(e, ERR_USAGE, "a password has no zero byte");
	memcpy(out, text, (size_t)n);
	out[n] = '\0';
	return 0;
}

static int run(struct session *s, const void *args, int argc, char **argv, struct err *e)
{
	const struct login_args *la = args;
	auto_arena struct arena a = ARENA_INIT;
	char user[REGISTRY_LOGIN_USER_MAX + 2], secret[REGISTRY_LOGIN_SECRET_MAX + 4];
	struct registry_login l = {.user = la->user ? la->user : user,
				   .secret = la->password ? la->password : secret};
	const char *where = NULL;
	int r = registry_login_host(argc ? argv[0] : NULL, &a, &l.host, e);

	if (r >= 0 && la->password && la->password_stdin)
		r = err_set(e, ERR_USAGE, "--password and --password-stdin exclude each other");
	if (r >= 0 && la->password_stdin && !la->user)
		r = err_set(e, ERR_USAGE, "--password-stdin needs --username");
	if (r >= 0 && !la->user)
		r = prompt("Username", user, sizeof(user), true, e);
	if (r >= 0 && la->password_stdin)
		r = from_stdin(secret, sizeof(secret), e);
	else if (r >= 0 && !la->password)
		r = prompt("Password", secret, sizeof(secret), false, e);
	if (r >= 0)
		r = registry_login_run(s, &l, &a, &where, e);
	explicit_bzero(secret, sizeof(secret));
	if (r < 0)
		return r;
	if (where)
		fprintf(stderr, "caisson: the password is kept unencrypted in '%s'\n", where);
	printf("Login Succeeded\n");
	return 0;
}

extern const struct cmd cmd_login;
const struct cmd cmd_login = {
    .name = "login",
    .group = "images",
    .operands = "[SERVER]",
    .summary = "try a user and password at a registry and keep them",
    .opts = login_opts,
    .args_size = sizeof(struct login_args),
    .operands_max = 1,
    .run = run,
};
