/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/message.h"
#include "base/arena.h"
#include "base/err.h"

#include <ctype.h>
#include <endian.h>
#include <signal.h>
#include <string.h>

static int bad(const struct wire_frame *f, const char *what, struct err *e)
{
	return err_set(e, ERR_CORRUPT, "%s on stream %u: %s (%zu bytes)", wire_type_name(f->type),
		       f->stream, what, f->len);
}

static int get_u32(const struct wire_frame *f, uint32_t *out, struct err *e)
{
	uint32_t v;

	if (f->len != sizeof(v))
		return bad(f, "expected four bytes", e);
	memcpy(&v, f->data, sizeof(v));
	*out = le32toh(v);
	return 0;
}

static int get_time(const struct wire_frame *f, struct message *out, struct err *e)
{
	uint64_t v;

	if (f->len != sizeof(v))
		return bad(f, "expected eight bytes", e);
	memcpy(&v, f->data, sizeof(v));
	out->time_ns = (int64_t)le64toh(v);
	if (out->time_ns <= 0)
		return bad(f, "a time before 1970", e);
	return 0;
}

static int get_signal(const struct wire_frame *f, struct message *out, struct err *e)
{
	int r = get_u32(f, &out->number, e);

	if (r == 0 && (out->number < 1 || out->number > (uint32_t)SIGRTMAX))
		return bad(f, "no such signal", e);
	return r;
}

static int get_resize(const struct wire_frame *f, struct message *out, struct err *e)
{
	uint16_t v[2];

	if (f->len != sizeof(v))
		return bad(f, "expected four bytes", e);
	memcpy(v, f->data, sizeof(v));
	out->rows = le16toh(v[0]);
	out->columns = le16toh(v[1]);
	return 0;
}

/* The name becomes a file name: letters, digits and inner dots, so it can neither leave the
 * directory nor be hidden. */
static int get_file(const struct wire_frame *f, struct arena *a, struct message *out, struct err *e)
{
	uint16_t v;
	size_t n;

	if (f->len < sizeof(v))
		return bad(f, "too short", e);
	memcpy(&v, f->data, sizeof(v));
	n = le16toh(v);
	if (n == 0 || n > MESSAGE_NAME_MAX || n > f->len - sizeof(v))
		return bad(f, "a name that does not fit", e);
	out->name = arena_dupn(a, (const char *)f->data + sizeof(v), n);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)out->name[i]) && (out->name[i] != '.' || i == 0))
			return bad(f, "a name of other than letters, digits and dots", e);
	out->data = f->data + sizeof(v) + n;
	out->len = f->len - sizeof(v) - n;
	return 0;
}

static int get_data(const struct wire_frame *f, size_t max, struct message *out, struct err *e)
{
	if (f->len > max)
		return bad(f, "too long", e);
	out->data = f->data;
	out->len = f->len;
	return 0;
}

static int get_start(const struct wire_frame *f, struct arena *a, struct message *out,
		     struct err *e)
{
	int r;

	if (f->stream != 1)
		return bad(f, "only on stream 1", e);
	r = plan_parse((const char *)f->data, f->len, "plan", a, &out->plan, e);
	if (r < 0)
		return r;
	if (!out->plan->process || !out->plan->linux_ || !out->plan->root || !out->plan->caisson)
		return bad(f, "plan without process, root, linux or caisson", e);
	return 0;
}

static int get_exec(const struct wire_frame *f, struct arena *a, struct message *out, struct err *e)
{
	if (f->stream < 2)
		return bad(f, "only on stream 2 and up", e);
	return jbind_parse(&plan_process_table, (const char *)f->data, f->len, &out->process, a,
			   "process", e);
}

static int get_empty(const struct wire_frame *f, struct err *e)
{
	return f->len ? bad(f, "expected no payload", e) : 0;
}

int message_parse(const struct wire_frame *f, struct arena *a, struct message *out, struct err *e)
{
	*out = (struct message){.type = f->type, .stream = f->stream};
	switch (f->type) {
	case WIRE_HELLO:
		return get_data(f, MESSAGE_ENTROPY_MAX, out, e);
	case WIRE_TIME:
		return get_time(f, out, e);
	case WIRE_ENTROPY:
	case WIRE_WAKE:
		return get_data(f, MESSAGE_ENTROPY_MAX, out, e);
	case WIRE_NET:
		return jbind_parse(&plan_nic_table, (const char *)f->data, f->len, &out->nic, a,
				   "interface", e);
	case WIRE_FILE:
		return get_file(f, a, out, e);
	case WIRE_START:
		return get_start(f, a, out, e);
	case WIRE_EXEC:
		return get_exec(f, a, out, e);
	case WIRE_STDIN:
		return get_data(f, MESSAGE_DATA_MAX, out, e);
	case WIRE_RESIZE:
		return get_resize(f, out, e);
	case WIRE_SIGNAL:
		return get_signal(f, out, e);
	case WIRE_WINDOW:
		return get_u32(f, &out->number, e);
	case WIRE_UPDATE:
		return jbind_parse(&plan_resources_table, (const char *)f->data, f->len,
				   &out->resources, a, "resources", e);
	case WIRE_ADOPT:
		return jbind_parse(&plan_identity_table, (const char *)f->data, f->len,
				   &out->identity, a, "identity", e);
	case WIRE_HOLD:
	case WIRE_LETGO:
	case WIRE_STATS:
	case WIRE_PREPARE:
	case WIRE_TOP:
	case WIRE_PAUSE:
	case WIRE_RESUME:
	case WIRE_POWEROFF:
		return get_empty(f, e);
	default:
		return bad(f, "not for the guest", e);
	}
}
