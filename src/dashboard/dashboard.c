/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboard/dashboard.h"
#include "api/apianswer.h"
#include "base/auto.h"
#include "base/err.h"
#include "base/str.h"
#include "dashboard/dashfeed.h"
#include "dashboard/dashgate.h"
#include "dashboard/dashpage.h"
#include "dashboard/dashverb.h"
#include "httpd/exchange.h"
#include "httpd/httpd.h"
#include "sys/fd.h"

#define CONNECTIONS 100 /* a browser opens six, and one for each terminal and log */

struct dashboard {
	struct session *s;
	const struct dashboard_opts *o;
	struct dashgate gate;
	int assets; /* directory */
};

static int answer(const struct dashboard *d, struct exchange *x, const char *path, struct err *e)
{
	const char *rest = str_after(path, "/api");

	if (rest && *rest == '/')
		return apianswer(d->s, x, rest, false, e);
	if (streq(path, "/feed"))
		return dashfeed(d->s, x, e);
	if (str_after(path, "/instances/"))
		return dashverb(d->s, x, path, e);
	return dashpage(d->s, d->assets, x, path, e);
}

static int handle(struct exchange *x, void *arg, struct err *e)
{
	const struct dashboard *d = arg;
	const char *path = NULL;
	int status = dashgate_pass(&d->gate, &x->request, &path);

	if (status == 404)
		return apianswer_refuse(x, 404, "open the address that caisson dashboard printed",
					e);
	if (status)
		return apianswer_refuse(x, status, "requests of other pages are refused", e);
	return answer(d, x, path, e);
}

static void ready(void *arg)
{
	const struct dashboard *d = arg;
	char url[DASHGATE_URL];

	dashgate_url(&d->gate, url);
	if (d->o->ready)
		d->o->ready(url, d->o->arg);
}

int dashboard_run(struct session *s, const struct dashboard_opts *o, struct err *e)
{
	auto_fd int assets = dashpage_open(s, e), fd = -1;
	struct dashboard d = {.s = s, .o = o, .assets = assets};
	struct httpd_opts h = {.listen = &fd,
			       .nlisten = 1,
			       .handle = handle,
			       .fail = apianswer_fail,
			       .ready = ready,
			       .arg = &d,
			       .connections_max = CONNECTIONS};

	if (assets < 0)
		return assets;
	fd = httpd_listen(o->listen, 1, d.gate.host, e);
	if (fd < 0)
		return fd;
	if (dashgate_init(&d.gate) < 0)
		return err_sys(e, "getrandom");
	return httpd_run(&h, e);
}
