/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/credential_helper.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"

#include <ctype.h>

#define NAME_LEN_MAX  64
#define COMPLAINT_MAX 200

const char *credential_helper_program(const char *name, struct arena *a)
{
	size_t n = strlen(name);

	if (n == 0 || n > NAME_LEN_MAX || name[0] == '.')
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("-_.", name[i]))
			return NULL;
	return arena_printf(a, "docker-credential-%s", name);
}

/* Not what changes how programs are loaded or what an interpreter runs. */
static bool passes(const char *variable)
{
	static const char *const whole[] = {
	    "HOME=",
	    "PATH=",
	    "USER=",
	    "LOGNAME=",
	    "LANG=",
	    "XDG_RUNTIME_DIR=",
	    "XDG_CONFIG_HOME=",
	    "DBUS_SESSION_BUS_ADDRESS=",
	    "DISPLAY=",
	    "WAYLAND_DISPLAY=",
	    "GNUPGHOME=",
	    "GPG_TTY=",
	    "AWS_",
	    "GOOGLE_",
	    "CLOUDSDK_",
	    "AZURE_",
	    "PASSWORD_STORE_DIR=",
	    "DOCKER_CONFIG=",
	};

	for (size_t i = 0; i < sizeof(whole) / sizeof(*whole); i++)
		if (str_after(variable, whole[i]))
			return true;
	return false;
}

const char *const *credential_helper_env(const char *const *environ, struct arena *a)
{
	struct strs out = {0};

	for (size_t i = 0; environ && environ[i]; i++)
		if (passes(environ[i]))
			arena_strs_add(a, &out, environ[i]);
	return out.n ? out.v : arena_strs_array(a, 0);
}

void credential_helper_print(const char *server, const struct credential *c, struct buf *out)
{
	buf_puts(out, "{\"ServerURL\":");
	json_quote(out, server);
	buf_puts(out, ",\"Username\":");
	json_quote(out, c->user);
	buf_puts(out, ",\"Secret\":");
	json_quote(out, c->secret);
	buf_puts(out, "}");
}

const char *credential_helper_complaint(const char *text, size_t len, struct arena *a)
{
	char *s = arena_dupn(a, text, len < COMPLAINT_MAX ? len : COMPLAINT_MAX);
	size_t n = strlen(s);

	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || (unsigned char)s[i] >= 0x7f)
			s[i] = ' ';
	return n ? s : "no reason given";
}

int credential_helper_parse(const char *text, size_t len, bool ok, struct arena *a,
			    struct credential *out, struct err *e)
{
	auto_json struct json *j = NULL;
	const char *user, *secret, *why;
	int r;

	if (!ok) {
		why = credential_helper_complaint(text, len, a);
		/* The one failure that is an answer; helpers print these words. */
		if (strcasestr(why, "credentials not found")) {
			*out = (struct credential){0};
			return 0;
		}
		return err_set(e, ERR_SYSTEM, "%s", why);
	}
	r = json_parse(text, len, "the answer", &j, e);
	if (r < 0)
		return r;
	user = json_string(json_member(j, "Username"));
	secret = json_string(json_member(j, "Secret"));
	if (!user || !secret)
		return err_set(e, ERR_CORRUPT, "the answer has no Username and Secret");
	*out = *user ? (struct credential){arena_dup(a, user), arena_dup(a, secret)}
		     : (struct credential){0};
	return 0;
}
