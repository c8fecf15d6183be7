/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/logjournal.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "fmt/timestamp.h"
#include "spec/plan.h"
#include "sys/fd.h"
#include "sys/sdjournal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_MAX (1u << 20)
#define NAME_MAX_   64 /* journald drops fields with longer names */

struct logjournal {
	int fd;
	struct buf fixed; /* the fields that every message has */
	uint64_t ordinal;
};

static void text(struct buf *b, const char *name, const char *value)
{
	sdjournal_field(b, name, value, strlen(value));
}

/* A label or variable must not pass for a field of ours: CONTAINER_ID_FULL of another instance
 * would put the line into its log. */
static bool ours(const char *name)
{
	static const char *const exact[] = {"MESSAGE", "MESSAGE_ID", "PRIORITY", "IMAGE_NAME"};
	static const char *const begin[] = {"CONTAINER_", "SYSLOG_",  "CODE_",	    "OBJECT_",
					    "COREDUMP_",  "JOURNAL_", "TID",	    "ERRNO",
					    "UNIT",	  "USER_",    "INVOCATION_"};

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		if (streq(name, exact[i]))
			return true;
	for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++)
		if (str_after(name, begin[i]))
			return true;
	return false;
}

/* The journal's names: A-Z, 0-9 and _, beginning with a letter. */
static int attribute(const char *key, struct json *value, void *arg)
{
	char name[NAME_MAX_ + 1] = "X_";
	const char *v = json_string(value);
	struct buf *b = arg;
	size_t n = 2;

	for (; *key && n < NAME_MAX_; key++) {
		char c = *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;
		bool letter = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';

		if (n > 2 || letter)
			name[n++] = letter || digit ? c : '_';
	}
	name[n] = '\0';
	if (n > 2 && v)
		text(b, ours(name + 2) ? name : name + 2, v);
	return 0;
}

static void fixed_fields(const struct plan_caisson *c, struct buf *b)
{
	auto_json struct json *attrs = NULL;
	struct timespec now;
	char id[13];

	snprintf(id, sizeof(id), "%.12s", c->id);
	text(b, "CONTAINER_ID", id);
	text(b, "CONTAINER_ID_FULL", c->id);
	text(b, "CONTAINER_NAME", c->name ? c->name : "");
	text(b, "CONTAINER_TAG", c->log.tag ? c->log.tag : id);
	text(b, "SYSLOG_IDENTIFIER", c->log.tag ? c->log.tag : id);
	text(b, "IMAGE_NAME", c->image ? c->image : "");
	clock_gettime(CLOCK_REALTIME, &now);
	buf_puts(b, "CONTAINER_LOG_EPOCH=");
	timestamp_print((int64_t)now.tv_sec * 1000000000 + now.tv_nsec, b);
	buf_puts(b, "\n");
	if (c->log.attrs &&
	    json_parse(c->log.attrs, strlen(c->log.attrs), "attrs", &attrs, NULL) == 0)
		json_each(attrs, attribute, b);
}

int logjournal_open(const struct plan_caisson *c, struct logjournal **out, struct err *e)
{
	struct logjournal *j;
	int fd = sdjournal_open(SDJOURNAL_SOCKET);

	if (fd < 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "--log-driver journald is not possible: " SDJOURNAL_SOCKET ": %s",
			       strerror(-fd));
	j = calloc(1, sizeof(*j));
	if (!j)
		abort();
	j->fd = fd;
	j->fixed = BUF_INIT(MESSAGE_MAX / 2);
	fixed_fields(c, &j->fixed);
	*out = j;
	return 0;
}

int logjournal_fd(const struct logjournal *j)
{
	return j->fd;
}

int logjournal_line(struct logjournal *j, const struct logjournal_line *l)
{
	auto_buf struct buf b = BUF_INIT(MESSAGE_MAX);
	bool whole = l->len && l->text[l->len - 1] == '\n';

	buf_add(&b, j->fixed.p, j->fixed.len);
	buf_printf(&b, "PRIORITY=%d\nCONTAINER_LOG_ORDINAL=%llu\nSYSLOG_TIMESTAMP=", l->err ? 3 : 6,
		   (unsigned long long)++j->ordinal);
	timestamp_print(l->ns, &b);
	buf_puts(&b, whole ? "\n" : "\nCONTAINER_PARTIAL_MESSAGE=true\n");
	sdjournal_field(&b, "MESSAGE", l->text, l->len - whole);
	return b.failed ? -EOVERFLOW : sdjournal_send(j->fd, SDJOURNAL_SOCKET, b.p, b.len);
}

void logjournal_close(struct logjournal *j)
{
	if (!j)
		return;
	fd_close(j->fd);
	buf_free(&j->fixed);
	free(j);
}
