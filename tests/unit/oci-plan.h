/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* What the tests of plans share: a machine, and configurations from files. */
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/str.h"
#include "src/oci/plan.h"
#include "src/oci/spec.h"
#include "tests/unit/tap.h"

static const struct plan_context test_machine = {
	.id = "test",
	.bundle = "/bundle",
	.cgroup_driver = CG_DRIVER_CGROUPFS,
	.v2_only = true,
	.n_cpus = 4,
	.host_memory = (uint64_t)8 << 30,
};

static inline int test_parse(const char *text, const struct plan_context *ctx,
			     struct plan *ret, struct err *e)
{
	struct spec s = { 0 };
	int r;

	r = spec_parse(text, strlen(text), "config.json", &s, e);
	if (r < 0)
		return r;
	r = plan_make(&s, ctx, ret, e);
	spec_done(&s);
	return r;
}

static inline int test_plan(const char *name, const struct plan_context *ctx,
			    struct plan *ret, struct err *e)
{
	const char *source = getenv("MOAT_SOURCE");
	autofree char *path = str_printf("%s/tests/data/config/%s",
					 source ? source : ".", name);
	autofree char *text = NULL;
	int r;

	r = fd_read_file_at(AT_FDCWD, path, JSON_MAX_SIZE, &text, NULL, e);
	return r < 0 ? r : test_parse(text, ctx, ret, e);
}
