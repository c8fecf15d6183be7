/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "fmt/json.h"
#include "runtime/cgroup_int.h"

#include <stdlib.h>

/* ln(x) for 1 <= x <= 2 and e^x for 0 <= x <= 2.4, by series: libm would be one more library to
 * load on the run path for one number. */
static double ln(double x)
{
	double z = (x - 1) / (x + 1), power = z, sum = 0;

	for (int k = 1; k < 60; k += 2, power *= z * z)
		sum += power / k;
	return 2 * sum;
}

static double power_of_e(double x)
{
	double term = 1, sum = 1;

	for (int k = 1; k < 40; k++) {
		term *= x / k;
		sum += term;
	}
	return sum;
}

/* v1 shares 2 .. 262144 (default 1024) to v2 weight 1 .. 10000 (default 100).
 *
 * The kernel's documents suggest no formula.  The linear one of the first v2 runtimes maps the
 * default 1024 to 39, so a default container lost against everything else on the host.  We use the
 * quadratic one that runc and crun adopted in 2025, which meets all three points:
 * log10(weight) = (l^2 + 125 l) / 612 - 7 / 34 with l = log2(shares). */
uint64_t cgroup_convert_shares(uint64_t shares)
{
	double l = 0, x, exponent, w;

	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	for (x = (double)shares; x >= 2; x /= 2)
		l++;
	l += ln(x) / ln(2);
	exponent = (l * l + 125 * l) / 612 - 7.0 / 34;
	for (w = 1; exponent >= 1; exponent--)
		w *= 10;
	w *= power_of_e(exponent * (ln(1.25) + 3 * ln(2))); /* ln 10 = ln(1.25 * 8) */
	/* Round up, but not what is whole except for the last bits. */
	return (uint64_t)(w + 1 - 1e-6);
}

/* blkio.weight 10 .. 1000 to io.weight 1 .. 10000, linear: both defaults (500 and 100) are only
 * conventions, and every runtime does it so. */
uint64_t cgroup_convert_blkio(uint64_t weight)
{
	return weight < 10 ? 0 : 1 + (weight - 10) * 9999 / 990;
}

/* OCI counts memory plus swap, v2 swap alone.  0: nothing to set. */
int cgroup_convert_swap(int64_t swap, int64_t memory, int64_t *out, struct err *e)
{
	if (swap == 0)
		return 0;
	if (swap == -1) {
		*out = -1;
		return 1;
	}
	if (memory <= 0)
		return err_set(e, ERR_USAGE, "memory: a swap limit needs a memory limit");
	if (swap < memory)
		return err_set(e, ERR_USAGE, "memory+swap limit should be >= memory limit");
	*out = swap - memory;
	return 1;
}

bool cgroup_convert_cpus(const char *list)
{
	return strlen(list) < 512 && strspn(list, "0123456789,-") == strlen(list);
}

bool cgroup_convert_page(const char *size)
{
	size_t n = strspn(size, "0123456789");

	return n > 0 && n < 10 &&
	       (streq(size + n, "KB") || streq(size + n, "MB") || streq(size + n, "GB"));
}

static int rdma_device(const char *key, struct json *value, void *arg)
{
	struct {
		struct buf *lines;
		struct err *e;
	} *x = arg;
	static const char *const keys[][2] = {{"hcaHandles", "hca_handle"},
					      {"hcaObjects", "hca_object"}};
	bool any = false;

	if (!*key || strlen(key) > 63 || strpbrk(key, " \t\n\\/"))
		return err_set(x->e, ERR_USAGE, "rdma: '%.64s' is no device name", key);
	for (int i = 0; i < 2; i++) {
		struct json *j = json_member(value, keys[i][0]);
		char text[32], *end;
		auto_buf struct buf b = BUF_INIT(sizeof(text) - 1);

		if (!j)
			continue;
		json_dump(j, &b);
		memcpy(text, b.p, b.len + 1);
		strtoul(text, &end, 10);
		if (b.failed || end == text || *end || *text == '-')
			return err_set(x->e, ERR_USAGE, "rdma: %s.%s: expected a number", key,
				       keys[i][0]);
		buf_printf(x->lines, "%s %s=%s", any ? "" : key, keys[i][1], text);
		any = true;
	}
	if (any)
		buf_puts(x->lines, "\n");
	return 0;
}

int cgroup_convert_rdma(const char *json, struct buf *lines, struct err *e)
{
	auto_json struct json *j = NULL;
	struct {
		struct buf *lines;
		struct err *e;
	} x = {lines, e};
	int r = json_parse(json, strlen(json), "linux.resources.rdma", &j, e);

	if (r < 0)
		return r;
	r = json_each(j, rdma_device, &x);
	return r < 0 ? r : buf_fail(lines, "linux.resources.rdma", e);
}
