/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caisson-verify - was a payload signed with a key?  Lives for one signature.  Has the
 * administrator's key, and, after it has locked itself in (unpack/jail.h), a stranger's payload and
 * signature; nothing else: no network, no names in the file system, no store. Parses hostile bytes
 * from: registries.
 *
 *   caisson-verify --key FD --payload FD --signature FD
 *
 * stdout: "good" or "bad".  --err-fd: when neither can be said, one struct err, else its text on
 * stderr.  Exit codes: 0 said, 1 failure, 2 usage.  A program of its own because the run path maps
 * no crypto library.
 */
#include "base/auto.h"
#include "base/err.h"
#include "base/opt.h"
#include "fmt/sigpolicy.h"
#include "sys/fd.h"
#include "unpack/jail.h"
#include "verify/check_signature.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX	      (64 << 10)
#define SIGNATURE_MAX (16 << 10)

struct args {
	int64_t key, payload, signature, err_fd;
};

#define FD_OPT(field, name_, help_)                                                                \
	OPT(struct args, field, .name = name_, .type = OPT_INT, .arg = "FD", .min = -1,            \
	    .max = 1 << 20, .preset = "-1", .help = help_)

static const struct opt opts[] = {
    FD_OPT(err_fd, "err-fd", "write a failure there, as a struct err"),
    FD_OPT(key, "key", "the public key, PEM"),
    FD_OPT(payload, "payload", "what was signed"),
    FD_OPT(signature, "signature", "the signature, base64"),
    OPT_END,
};

static ssize_t slurp(int64_t fd, const char *what, size_t max, char **out, struct err *e)
{
	ssize_t n = fd_slurp((int)fd, max, out);

	errno = n < 0 ? (int)-n : 0;
	return n < 0 ? err_sys(e, "%s", what) : n;
}

static int verify(const struct args *a, struct err *e)
{
	auto_free char *key = NULL, *payload = NULL, *signature = NULL;
	int keep[] = {(int)a->payload, (int)a->signature, (int)a->err_fd}, r;
	struct jail_opts jo = {.keep_fds = keep, .n_keep = 3, .dir_fd = -1};
	struct check_signature *c = NULL;
	const char *word;
	ssize_t n = slurp(a->key, "key", KEY_MAX, &key, e), m = 0;

	if (n < 0)
		return (int)n;
	r = check_signature_open(key, (size_t)n, &c, e);
	if (r >= 0)
		r = jail_enter(&jo, e);
	if (r >= 0)
		n = slurp(a->payload, "payload", SIGPOLICY_PAYLOAD_MAX, &payload, e);
	if (r >= 0 && n >= 0)
		m = slurp(a->signature, "signature", SIGNATURE_MAX, &signature, e);
	if (r < 0 || n < 0 || m < 0) {
		check_signature_close(c);
		return r < 0 ? r : -EIO;
	}
	word = check_signature_run(c, payload, (size_t)n, signature, (size_t)m) == 1 ? "good\n"
										     : "bad\n";
	check_signature_close(c);
	errno = -fd_write_all(STDOUT_FILENO, word, strlen(word));
	return errno ? err_sys(e, "write the result") : 0;
}

int main(int argc, char **argv)
{
	struct args a = {.err_fd = -1};
	struct err e = ERR_INIT;
	int r;

	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	r = opt_parse(opts, argc, argv, OPT_MIXED, &a, &e);
	if (r >= 0)
		r = verify(&a, &e);
	if (r < 0 && a.err_fd >= 0)
		(void)!write((int)a.err_fd, &e, sizeof(e));
	else if (r < 0)
		fprintf(stderr, "caisson-verify: %s\n", e.msg);
	return r >= 0 ? 0 : e.kind == ERR_USAGE ? 2 : 1;
}
