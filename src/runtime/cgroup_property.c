/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/cgroup_property.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/dbus.h"
#include "runtime/cgroup_int.h"
#include "spec/plan.h"
#include "sys/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANNOTATION "org.systemd.property."

static void begin(struct buf *b, const char *name, const char *type)
{
	dbus_align(b, 8);
	dbus_string(b, name);
	dbus_signature(b, type);
}

void cgroup_property_string(struct buf *b, const char *name, const char *value)
{
	begin(b, name, "s");
	dbus_string(b, value);
}

void cgroup_property_bool(struct buf *b, const char *name, bool value)
{
	begin(b, name, "b");
	dbus_bool(b, value);
}

void cgroup_property_u64(struct buf *b, const char *name, uint64_t value)
{
	begin(b, name, "t");
	dbus_u64(b, value);
}

void cgroup_property_u32s(struct buf *b, const char *name, const uint32_t *v, size_t n)
{
	size_t at;

	begin(b, name, "au");
	at = dbus_array(b, 4);
	for (size_t i = 0; i < n; i++)
		dbus_u32(b, v[i]);
	dbus_array_end(b, at, 4);
}

static bool given(struct jbind_optint o)
{
	return o.set && o.v != 0;
}

static uint64_t limit_of(int64_t v)
{
	return v < 0 ? UINT64_MAX : (uint64_t)v;
}

/* ---- cpu ---- */

int cgroup_property_mask(const char *list, unsigned char mask[128], size_t *len, struct err *e)
{
	*len = 0;
	memset(mask, 0, 128);
	while (*list) {
		char *end;
		unsigned long from = strtoul(list, &end, 10), to = from;

		if (end == list)
			break;
		if (*end == '-') {
			const char *second = end + 1;

			to = strtoul(second, &end, 10);
			if (end == second)
				break;
		}
		if (to < from || to >= 1024)
			break;
		for (unsigned long i = from; i <= to; i++)
			mask[i / 8] |= (unsigned char)(1U << i % 8);
		*len = to / 8 + 1 > *len ? to / 8 + 1 : *len;
		list = end;
		if (*list != ',')
			break;
		list++;
	}
	return *list ? err_set(e, ERR_USAGE, "cpu: expected a list such as 0-3,7 for cpus and mems")
		     : 0;
}

static int put_mask(struct buf *b, const char *name, const char *list, struct err *e)
{
	unsigned char mask[128];
	size_t len, at;
	int r;

	if (!list || !*list)
		return 0;
	r = cgroup_property_mask(list, mask, &len, e);
	if (r < 0)
		return r;
	begin(b, name, "ay");
	at = dbus_array(b, 1);
	buf_add(b, mask, len);
	dbus_array_end(b, at, 1);
	return 0;
}

/* systemd keeps the quota as CPU time per second and writes whole percents: rounded up, or it would
 * write a smaller quota than was asked. */
static void put_quota(struct buf *b, const struct plan_cpu *c)
{
	uint64_t period = given(c->period) ? (uint64_t)c->period.v : 100000, per_second;

	if (given(c->period))
		cgroup_property_u64(b, "CPUQuotaPeriodUSec", period);
	if (!given(c->quota))
		return;
	per_second = UINT64_MAX;
	if (c->quota.v > 0 && c->quota.v < INT64_MAX / 1000000) {
		per_second = (uint64_t)c->quota.v * 1000000 / period;
		per_second = (per_second + 9999) / 10000 * 10000;
	}
	cgroup_property_u64(b, "CPUQuotaPerSecUSec", per_second);
}

static int put_cpu(struct buf *b, const struct plan_cpu *c, int version, struct err *e)
{
	int r = 0;

	if (given(c->shares) && c->shares.v > 0)
		cgroup_property_u64(b, version == 2 ? "CPUWeight" : "CPUShares",
				    version == 2 ? cgroup_convert_shares((uint64_t)c->shares.v)
						 : (uint64_t)c->shares.v);
	put_quota(b, c);
	if (version == 2)
		r = put_mask(b, "AllowedCPUs", c->cpus, e);
	if (r == 0 && version == 2)
		r = put_mask(b, "AllowedMemoryNodes", c->mems, e);
	return r;
}

/* ---- memory ---- */

static int put_memory(struct buf *b, const struct plan_memory *m, int version, struct err *e)
{
	int64_t swap;
	int r;

	if (given(m->limit))
		cgroup_property_u64(b, version == 2 ? "MemoryMax" : "MemoryLimit",
				    limit_of(m->limit.v));
	if (version == 1)
		return 0;
	if (given(m->reservation))
		cgroup_property_u64(b, "MemoryLow", limit_of(m->reservation.v));
	if (!given(m->swap) || (m->swap.v > 0 && !given(m->limit)))
		return 0; /* needs the limit in force, which the file writer looks up */
	r = cgroup_convert_swap(m->swap.v, m->limit.v, &swap, e);
	if (r > 0)
		cgroup_property_u64(b, "MemorySwapMax", limit_of(swap));
	return r < 0 ? r : 0;
}

/* ---- devices ---- */

static void put_rule(struct buf *b, const char *node, unsigned int access)
{
	char text[4];

	snprintf(text, sizeof(text), "%s%s%s", access & 2 ? "r" : "", access & 4 ? "w" : "",
		 access & 1 ? "m" : "");
	dbus_align(b, 8);
	dbus_string(b, node);
	dbus_string(b, text);
}

/* "char-pts": systemd names a whole major by its line in /proc/devices. */
static bool group_name(const struct cgroup_device *d, const char *devices, char out[64])
{
	const char *p = strstr(devices, d->type == 'b' ? "Block devices:" : "Character devices:");

	for (p = p ? strchr(p, '\n') : NULL; p && p[1] && p[1] != '\n'; p = strchr(p + 1, '\n')) {
		char *end;
		unsigned long major = strtoul(p + 1, &end, 10);

		if (end == p + 1)
			break;
		if (*end == ' ' && (int64_t)major == d->major) {
			snprintf(out, 64, "%s-%.*s", d->type == 'b' ? "block" : "char",
				 (int)strcspn(end + 1, "\n"), end + 1);
			return true;
		}
	}
	return false;
}

static void put_device(struct buf *b, const struct cgroup_device *d, const char *devices)
{
	char node[64];

	if (d->major < 0 && d->minor < 0)
		snprintf(node, sizeof(node), "%s-*", d->type == 'b' ? "block" : "char");
	else if (d->major >= 0 && d->minor >= 0)
		snprintf(node, sizeof(node), "/dev/%s/%" PRId64 ":%" PRId64,
			 d->type == 'b' ? "block" : "char", d->major, d->minor);
	else if (d->major < 0 || !group_name(d, devices, node))
		return;
	put_rule(b, node, d->access);
}

/* systemd's list can only allow.  It needs to be no narrower than ours: both are in force, and ours
 * is the exact one. */
static int put_devices(struct buf *b, const struct plan_device_rules *rules, struct err *e)
{
	struct arena a = ARENA_INIT;
	auto_free char *devices = NULL;
	struct cgroup_device_list l;
	bool all = false;
	size_t at;
	int r = cgroup_devices_list(&a, rules, &l, e);

	if (r == 0 && file_read(AT_FDCWD, "/proc/devices", 1 << 20, &devices) < 0)
		r = err_sys(e, "/proc/devices");
	for (size_t i = 0; r == 0 && i < l.n; i++)
		all = all || (l.v[i].allow && l.v[i].type == 'a');
	if (r == 0) {
		cgroup_property_string(b, "DevicePolicy", all ? "auto" : "strict");
		begin(b, "DeviceAllow", "a(ss)");
		at = dbus_array(b, 8);
		for (size_t i = 0; !all && i < l.n; i++)
			if (l.v[i].allow)
				put_device(b, &l.v[i], devices);
		dbus_array_end(b, at, 8);
	}
	arena_free(&a);
	return r;
}

int cgroup_property_resources(struct buf *b, const struct plan_resources *res, int version,
			      struct err *e)
{
	int r = 0;

	if (res->cpu)
		r = put_cpu(b, res->cpu, version, e);
	if (r == 0 && res->memory)
		r = put_memory(b, res->memory, version, e);
	if (r == 0 && res->pids && res->pids->limit.set)
		cgroup_property_u64(b, "TasksMax",
				    res->pids->limit.v ? limit_of(res->pids->limit.v) : 1);
	if (r == 0 && res->block_io && given(res->block_io->weight))
		cgroup_property_u64(b, version == 2 ? "IOWeight" : "BlockIOWeight",
				    version == 2
					? cgroup_convert_blkio((uint64_t)res->block_io->weight.v)
					: (uint64_t)res->block_io->weight.v);
	return r < 0 || !res->devices.n ? r : put_devices(b, &res->devices, e);
}

/* ---- annotations ---- */

/* Name and D-Bus type.  None of these makes systemd run, read or open anything. */
static const char *const allowed[][2] = {
    {"After", "as"},
    {"Before", "as"},
    {"CollectMode", "s"},
    {"CPUWeight", "t"},
    {"Description", "s"},
    {"FinalKillSignal", "i"},
    {"IOWeight", "t"},
    {"KillSignal", "i"},
    {"ManagedOOMMemoryPressure", "s"},
    {"ManagedOOMPreference", "s"},
    {"ManagedOOMSwap", "s"},
    {"MemoryHigh", "t"},
    {"MemoryLow", "t"},
    {"MemoryMin", "t"},
    {"RuntimeMaxUSec", "t"},
    {"SendSIGHUP", "b"},
    {"SendSIGKILL", "b"},
    {"TimeoutStopUSec", "t"},
};

/* 'text' or "text", as GVariant writes a string, without escapes.  Returns what follows, or NULL.
 */
static const char *quoted(const char *s, char out[256])
{
	char q = *s;
	const char *end = q == '\'' || q == '"' ? strchr(s + 1, q) : NULL;

	if (!end || end - s > 255 || memchr(s, '\\', (size_t)(end - s)))
		return NULL;
	snprintf(out, 256, "%.*s", (int)(end - s - 1), s + 1);
	return end + 1;
}

static bool put_list(struct buf *b, const char *s)
{
	char one[256];
	size_t at = dbus_array(b, 4);

	if (*s++ != '[')
		return false;
	while (*s != ']') {
		s = quoted(s, one);
		if (!s)
			return false;
		dbus_string(b, one);
		s += strspn(s, ", ");
	}
	dbus_array_end(b, at, 4);
	return s[1] == '\0';
}

static bool put_number(struct buf *b, const char *s, char type)
{
	static const char *const prefixes[] = {"uint64 ", "int32 ", "uint32 "};
	char *end;
	uint64_t v;

	for (size_t i = 0; i < 3; i++)
		if (str_after(s, prefixes[i]))
			s = str_after(s, prefixes[i]);
	v = strtoull(s, &end, 10);
	if (end == s || *end || *s == '-' || (type == 'i' && v > INT32_MAX))
		return false;
	if (type == 'i')
		dbus_u32(b, (uint32_t)v);
	else
		dbus_u64(b, v);
	return true;
}

static bool put_value(struct buf *b, const char *type, const char *s)
{
	char text[256];
	const char *rest;

	switch (*type) {
	case 'a':
		return put_list(b, s);
	case 'b':
		dbus_bool(b, streq(s, "true"));
		return streq(s, "true") || streq(s, "false");
	case 's':
		rest = quoted(s, text);
		if (!rest || *rest)
			return false;
		dbus_string(b, text);
		return true;
	default:
		return put_number(b, s, *type);
	}
}

int cgroup_property_annotations(struct buf *b, const struct jbind_map *m, struct err *e)
{
	for (size_t i = 0; m && i < m->n; i++) {
		const char *name = str_after(m->v[i].key, ANNOTATION), *type = NULL;

		if (!name)
			continue;
		for (size_t k = 0; k < sizeof(allowed) / sizeof(allowed[0]); k++)
			if (streq(allowed[k][0], name))
				type = allowed[k][1];
		if (!type)
			return err_set(e, ERR_USAGE,
				       "annotation %s%.64s: this unit property may not be set by "
				       "annotation",
				       ANNOTATION, name);
		begin(b, name, type);
		if (!put_value(b, type, m->v[i].value))
			return err_set(e, ERR_USAGE,
				       "annotation %s%s: expected a value of D-Bus type %s",
				       ANNOTATION, name, type);
	}
	return 0;
}
