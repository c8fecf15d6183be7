/* SPDX-License-Identifier: Apache-2.0 */
#include "fmt/criu_rpc.h"
#include "base/arena.h"
#include "base/auto.h"
#include "base/buf.h"
#include "base/err.h"

#include <string.h>

enum wire { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

/* ---- writing ---- */

static void varint(struct buf *b, uint64_t v)
{
	unsigned char c;

	for (; v >= 0x80; v >>= 7) {
		c = (unsigned char)(v | 0x80);
		buf_add(b, &c, 1);
	}
	c = (unsigned char)v;
	buf_add(b, &c, 1);
}

static void put_uint(struct buf *b, unsigned int field, uint64_t v)
{
	varint(b, (uint64_t)field << 3 | VARINT);
	varint(b, v);
}

/* An int32 is sign-extended to ten bytes. */
static void put_int(struct buf *b, unsigned int field, int v)
{
	put_uint(b, field, (uint64_t)(int64_t)v);
}

static void put_bytes(struct buf *b, unsigned int field, const void *data, size_t len)
{
	varint(b, (uint64_t)field << 3 | BYTES);
	varint(b, len);
	buf_add(b, data, len);
}

static void put_str(struct buf *b, unsigned int field, const char *s)
{
	if (s)
		put_bytes(b, field, s, strlen(s));
}

/* A failed inner buffer fails the outer one. */
static void put_message(struct buf *b, unsigned int field, const struct buf *inner)
{
	put_bytes(b, field, inner->p, inner->len);
	b->failed |= inner->failed;
}

static void put_bools(struct buf *b, const struct criu_rpc_opts *o)
{
	const struct {
		unsigned int field;
		bool on;
	} v[] = {
	    {3, o->leave_running},   {4, o->ext_unix_sk}, {5, o->tcp_established},
	    {6, o->evasive_devices}, {7, o->shell_job},	  {8, o->file_locks},
	    {12, o->notify},	     {15, o->track_mem},  {16, o->auto_dedup},
	    {18, o->link_remap},     {26, o->sibling},	  {46, o->skip_in_flight},
	    {24, o->manage_cgroups}, {48, o->lazy_pages}, {50, o->orphan_pts},
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		if (v[i].on)
			put_uint(b, v[i].field, 1);
}

static void put_pairs(struct buf *b, const struct criu_rpc_opts *o)
{
	for (size_t i = 0; i < o->inherit.n; i++) {
		auto_buf struct buf pair = BUF_INIT(CRIU_RPC_MAX);

		put_str(&pair, 1, o->inherit.v[i].key);
		put_int(&pair, 2, o->inherit.v[i].fd);
		put_message(b, 27, &pair);
	}
	for (size_t i = 0; i < o->cgroup_roots.n; i++) {
		auto_buf struct buf pair = BUF_INIT(CRIU_RPC_MAX);
		const char *controllers = o->cgroup_roots.v[i].key;

		/* Without a controller it counts for all. */
		if (controllers && *controllers)
			put_str(&pair, 1, controllers);
		put_str(&pair, 2, o->cgroup_roots.v[i].path);
		put_message(b, 25, &pair);
	}
}

static void put_opts(struct buf *b, const struct criu_rpc_opts *o)
{
	put_int(b, 1, o->images_fd);
	if (o->pid)
		put_int(b, 2, o->pid);
	put_int(b, 9, o->log_level);
	put_str(b, 10, o->log_file);
	if (o->page_server) {
		auto_buf struct buf ps = BUF_INIT(CRIU_RPC_MAX);

		put_str(&ps, 1, o->page_server);
		put_int(&ps, 2, o->page_server_port);
		put_message(b, 11, &ps);
	}
	put_str(b, 13, o->root);
	put_str(b, 14, o->parent);
	if (o->work_fd >= 0)
		put_int(b, 17, o->work_fd);
	put_bools(b, o);
	put_pairs(b, o);
	if (o->manage_cgroups)
		put_uint(b, 34, o->cgroups);
	for (size_t i = 0; o->external && i < o->external->n; i++)
		put_str(b, 37, o->external->v[i]);
	if (o->empty_ns)
		put_uint(b, 38, o->empty_ns);
	put_str(b, 44, o->freeze_cgroup);
	put_str(b, 53, o->lsm_profile);
	put_str(b, 63, o->lsm_mount_context);
}

void criu_rpc_request(struct buf *b, enum criu_rpc_type type, const struct criu_rpc_opts *opts)
{
	auto_buf struct buf inner = BUF_INIT(CRIU_RPC_MAX);

	put_uint(b, 1, type);
	if (opts) {
		put_opts(&inner, opts);
		put_message(b, 2, &inner);
	}
}

void criu_rpc_notified(struct buf *b, bool success)
{
	put_uint(b, 1, CRIU_RPC_NOTIFY);
	put_uint(b, 3, success);
}

/* ---- reading ---- */

struct reader {
	const unsigned char *p, *end;
};

struct field {
	uint64_t number, value; /* value: of a VARINT */
	struct reader bytes;	/* of BYTES */
	enum wire wire;
};

static bool get_varint(struct reader *r, uint64_t *out)
{
	uint64_t v = 0;

	for (unsigned int shift = 0; shift < 64 && r->p < r->end; shift += 7) {
		unsigned char c = *r->p++;

		v |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80)) {
			*out = v;
			return true;
		}
	}
	return false;
}

static bool skip(struct reader *r, uint64_t n)
{
	if (n > (uint64_t)(r->end - r->p))
		return false;
	r->p += n;
	return true;
}

/* 1: a field; 0: the end; -1: not a message. */
static int get_field(struct reader *r, struct field *f)
{
	uint64_t tag, n;

	if (r->p == r->end)
		return 0;
	if (!get_varint(r, &tag))
		return -1;
	*f = (struct field){.number = tag >> 3, .wire = (enum wire)(tag & 7)};
	switch (f->wire) {
	case VARINT:
		return get_varint(r, &f->value) ? 1 : -1;
	case FIXED64:
		return skip(r, 8) ? 1 : -1;
	case FIXED32:
		return skip(r, 4) ? 1 : -1;
	case BYTES:
		if (!get_varint(r, &n))
			return -1;
		f->bytes.p = r->p;
		if (!skip(r, n))
			return -1;
		f->bytes.end = r->p;
		return 1;
	}
	return -1; /* groups are not of proto2's later days, and criu has none */
}

static void get_text(const struct field *f, char *out, size_t size)
{
	size_t n = (size_t)(f->bytes.end - f->bytes.p), at = 0;

	for (size_t i = 0; i < n && at + 1 < size; i++) {
		unsigned char c = f->bytes.p[i];

		out[at++] = (char)(c < 0x20 || c >= 0x7f ? ' ' : c);
	}
	out[at] = '\0';
}

static bool get_inner(const struct field *f, bool notify, struct criu_rpc_response *out)
{
	struct reader r = f->bytes;
	struct field in;
	int more;

	while ((more = get_field(&r, &in)) > 0) {
		if (notify && in.number == 1 && in.wire == BYTES)
			get_text(&in, out->script, sizeof(out->script));
		if (in.number == (notify ? 2 : 1) && in.wire == VARINT)
			out->pid = (int)(uint32_t)in.value;
	}
	return more == 0;
}

static bool take(const struct field *f, struct criu_rpc_response *out)
{
	if (f->number == 1 && f->wire == VARINT)
		out->type = f->value;
	else if (f->number == 2 && f->wire == VARINT)
		out->success = f->value;
	else if ((f->number == 4 || f->number == 5) && f->wire == BYTES)
		return get_inner(f, f->number == 5, out);
	else if (f->number == 7 && f->wire == VARINT)
		out->error = (int)(uint32_t)f->value;
	else if (f->number == 9 && f->wire == BYTES)
		get_text(f, out->message, sizeof(out->message));
	return true;
}

int criu_rpc_parse(const void *data, size_t len, struct criu_rpc_response *out, struct err *e)
{
	struct reader r = {data, (const unsigned char *)data + len};
	struct criu_rpc_response got = {0};
	struct field f;
	int more;

	while ((more = get_field(&r, &f)) > 0)
		if (!take(&f, &got))
			break;
	if (more != 0 || !got.type || got.pid < 0)
		return err_set(e, ERR_CORRUPT, "malformed answer of criu");
	*out = got;
	return 0;
}
