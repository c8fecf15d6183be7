/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/secret.h"
#include "base/str.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

enum chars { ALNUM, UPPER, HEX, WORD, BASE64, CHARS_MAX_ };

/* A token: a prefix, then min to max characters of a class, then none of that class. */
struct token {
	const char *what, *prefix;
	uint8_t chars; /* enum chars */
	uint16_t min, max;
};

static const struct token tokens[] = {
    {"AWS access key", "AKIA", UPPER, 16, 16},
    {"AWS access key", "ASIA", UPPER, 16, 16},
    {"GitHub token", "ghp_", ALNUM, 36, 255},
    {"GitHub token", "gho_", ALNUM, 36, 255},
    {"GitHub token", "ghu_", ALNUM, 36, 255},
    {"GitHub token", "ghs_", ALNUM, 36, 255},
    {"GitHub token", "ghr_", ALNUM, 36, 255},
    {"GitHub token", "github_pat_", WORD, 60, 255},
    {"GitLab token", "glpat-", WORD, 20, 64},
    {"Google API key", "AIza", WORD, 35, 35},
    {"Slack token", "xoxb-", WORD, 20, 255},
    {"Slack token", "xoxp-", WORD, 20, 255},
    {"Slack token", "xoxa-", WORD, 20, 255},
    {"Stripe key", "sk_live_", ALNUM, 20, 255},
    {"Stripe key", "rk_live_", ALNUM, 20, 255},
    {"npm token", "npm_", ALNUM, 36, 36},
    {"PyPI token", "pypi-AgEI", WORD, 50, 512},
    {"Docker Hub token", "dckr_pat_", WORD, 20, 64},
    {"SendGrid key", "SG.", WORD, 22, 22},
    {"Hugging Face token", "hf_", ALNUM, 34, 40},
    {"DigitalOcean token", "dop_v1_", HEX, 64, 64},
    {"age secret key", "AGE-SECRET-KEY-1", UPPER, 58, 58},
};

static const char private_key[] = "private key";
static const char encrypted_key[] = "encrypted private key";
static const char pem_head[] = "-----BEGIN ";
static const char pem_tail[] = "PRIVATE KEY-----";

/* A name that is a finding by itself: the end of a path, from a component's start. */
static const struct {
	const char *end, *what;
} paths[] = {
    {".netrc", "netrc file"},
    {".git-credentials", "git credentials"},
    {".docker/config.json", "registry credentials"},
    {".dockercfg", "registry credentials"},
    {".aws/credentials", "AWS credentials"},
    {".config/gcloud/credentials.db", "Google credentials"},
    {".config/gcloud/application_default_credentials.json", "Google credentials"},
    {".azure/accessTokens.json", "Azure credentials"},
    {".azure/msal_token_cache.json", "Azure credentials"},
    {".kube/config", "Kubernetes credentials"},
    {".ssh/id_rsa", "SSH private key"},
    {".ssh/id_dsa", "SSH private key"},
    {".ssh/id_ecdsa", "SSH private key"},
    {".ssh/id_ed25519", "SSH private key"},
    {"etc/ssh/ssh_host_rsa_key", "SSH host key"},
    {"etc/ssh/ssh_host_ecdsa_key", "SSH host key"},
    {"etc/ssh/ssh_host_ed25519_key", "SSH host key"},
    {".pgpass", "database password"},
    {".my.cnf", "database password"},
    {".htpasswd", "password file"},
    {".vault-token", "Vault token"},
    {".bash_history", "shell history"},
    {".zsh_history", "shell history"},
    {".python_history", "shell history"},
    {".psql_history", "shell history"},
    {".mysql_history", "shell history"},
};

#define COUNT(x) (sizeof(x) / sizeof((x)[0]))

static bool in_class(unsigned char c, int chars)
{
	switch ((enum chars)chars) {
	case ALNUM:
		return isalnum(c);
	case UPPER:
		return isupper(c) || isdigit(c);
	case HEX:
		return isxdigit(c);
	case WORD:
		return isalnum(c) || c == '_' || c == '-';
	case BASE64:
		return isalnum(c) || c == '+' || c == '/' || c == '=';
	case CHARS_MAX_:
		break;
	}
	return false;
}

const char *secret_path(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < COUNT(paths); i++) {
		size_t n = strlen(paths[i].end);

		if (len >= n && streq(path + len - n, paths[i].end) &&
		    (len == n || path[len - n - 1] == '/'))
			return paths[i].what;
	}
	return NULL;
}

static size_t run_of(const uint8_t *p, size_t len, int chars)
{
	size_t n = 0;

	while (n < len && in_class(p[n], chars))
		n++;
	return n;
}

/* A key that is really there: libraries carry the line without one.  p stands behind pem_head. */
static const char *pem(const uint8_t *p, size_t len)
{
	size_t near = len < 48 ? len : 48;
	const uint8_t *tail = memmem(p, near, pem_tail, sizeof(pem_tail) - 1), *end = p + len;
	const char *what = private_key;

	if (!tail || memchr(p, '\n', (size_t)(tail - p)))
		return NULL;
	if (memmem(p, (size_t)(tail - p), "ENCRYPTED", 9))
		what = encrypted_key;
	p = tail + sizeof(pem_tail) - 1;
	/* A line's end, or how JSON and shells write one. */
	if (end - p >= 2 && p[0] == '\\' && p[1] == 'n')
		p += 2;
	while (p < end && (*p == '\r' || *p == '\n' || *p == ' '))
		p++;
	if (end - p > 10 && memcmp(p, "Proc-Type:", 10) == 0)
		return encrypted_key;
	return run_of(p, (size_t)(end - p), BASE64) >= 40 ? what : NULL;
}

static bool token_fits(const struct token *t, const uint8_t *p, size_t len)
{
	size_t n = strlen(t->prefix), k;

	if (len < n + t->min || memcmp(p, t->prefix, n) != 0)
		return false;
	k = run_of(p + n, len - n < (size_t)t->max + 1 ? len - n : (size_t)t->max + 1, t->chars);
	return k >= t->min && k <= t->max;
}

void secret_scan(const void *data, size_t len, void (*found)(void *arg, const char *what, size_t),
		 void *arg)
{
	const uint8_t *p = data;
	bool first[256] = {false}, told[COUNT(tokens)] = {false}, key = false;

	first[(unsigned char)pem_head[0]] = true;
	for (size_t k = 0; k < COUNT(tokens); k++)
		first[(unsigned char)tokens[k].prefix[0]] = true;
	for (size_t i = 0; i < len; i++) {
		const char *what;

		/* In the middle of a word it is chance: base64 holds every prefix. */
		if (!first[p[i]] || (i && (isalnum(p[i - 1]) || p[i - 1] == '_')))
			continue;
		if (p[i] == '-' && !key && len - i > sizeof(pem_head) &&
		    memcmp(p + i, pem_head, sizeof(pem_head) - 1) == 0) {
			what = pem(p + i + sizeof(pem_head) - 1, len - i - sizeof(pem_head) + 1);
			if (what)
				found(arg, what, i);
			key = what != NULL;
			continue;
		}
		for (size_t k = 0; k < COUNT(tokens); k++) {
			if (told[k] || !token_fits(&tokens[k], p + i, len - i))
				continue;
			told[k] = true;
			found(arg, tokens[k].what, i);
		}
	}
}

const char *secret_variable(const char *assignment)
{
	static const char *const words[] = {"PASSWORD",	  "PASSWD",    "SECRET",     "TOKEN",
					    "API_KEY",	  "APIKEY",    "ACCESS_KEY", "PRIVATE_KEY",
					    "CREDENTIAL", "PASSPHRASE"};
	const char *eq = strchr(assignment, '=');
	char name[128];
	size_t n;

	if (!eq || !eq[1])
		return NULL;
	n = (size_t)(eq - assignment);
	if (n >= sizeof(name))
		return NULL;
	for (size_t i = 0; i < n; i++)
		name[i] = (char)toupper((unsigned char)assignment[i]);
	name[n] = '\0';
	/* The name of a file or address of a secret is none. */
	if (n > 5 && (streq(name + n - 5, "_FILE") || streq(name + n - 5, "_PATH")))
		return NULL;
	if (n > 4 && (streq(name + n - 4, "_URL") || streq(name + n - 4, "_DIR")))
		return NULL;
	for (size_t i = 0; i < COUNT(words); i++)
		if (strstr(name, words[i]))
			return "variable that names a secret";
	return NULL;
}

bool secret_in_url(const char *text)
{
	for (const char *p = strstr(text, "://"); p; p = strstr(p, "://")) {
		const char *user = p += 3, *colon;

		p += strcspn(p, "/@?# \t\n'\"");
		if (*p != '@')
			continue;
		colon = memchr(user, ':', (size_t)(p - user));
		/* "$" is a variable that was not written out. */
		if (colon && colon + 1 < p && !memchr(colon, '$', (size_t)(p - colon)))
			return true;
	}
	return false;
}
