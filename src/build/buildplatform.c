/* SPDX-License-Identifier: Apache-2.0 */
#include "build/buildplatform.h"
#include "base/err.h"
#include "build/scope.h"
#include "fmt/oci_image.h"

#include <string.h>

int buildplatform_args(struct scope_args *args, char *const *environment, struct arena *a,
		       struct err *e)
{
	static const char *const kinds[] = {"TARGET", "BUILD"};
	struct oci_platform p;
	int r = 0;

	oci_image_host(&p);
	for (size_t i = 0; r >= 0 && i < 2; i++) {
		const char *vars[] = {
		    arena_printf(a, "%sPLATFORM=%s", kinds[i], oci_image_platform_print(&p, a)),
		    arena_printf(a, "%sOS=%s", kinds[i], p.os),
		    arena_printf(a, "%sARCH=%s", kinds[i], p.architecture),
		    arena_printf(a, "%sVARIANT=%s", kinds[i], p.variant ? p.variant : "")};

		for (size_t k = 0; r >= 0 && k < 4; k++)
			r = scope_args_add(args, vars[k], environment, a, e);
	}
	for (size_t i = 0; i < args->n; i++)
		args->v[i].used = true;
	return r;
}

int buildplatform_check(const char *want, struct arena *a, struct err *e)
{
	struct oci_platform asked, host;
	int r;

	if (!want)
		return 0;
	oci_image_host(&host);
	r = oci_image_platform(want, a, &asked, e);
	if (r >= 0 && !oci_image_fits(&host, &asked))
		r = err_set(e, ERR_UNSUPPORTED, "--platform=%s: this host builds for %s", want,
			    oci_image_platform_print(&host, a));
	return r;
}
