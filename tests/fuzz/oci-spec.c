/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/json_out.h"
#include "src/oci/plan.h"
#include "src/oci/spec.h"

/*
 * A config.json of anybody's making: read, planned for three machines, and
 * each plan written and read again, which must give the same text. Corpus:
 * tests/data/config.
 */

static const struct plan_context machines[] = {
	{ .id = "fuzz",
	  .bundle = "/bundle",
	  .v2_only = true,
	  .n_cpus = 4,
	  .host_memory = 1 << 30 },
	{ .id = "fuzz",
	  .bundle = "/b",
	  .rootless = true,
	  .uid = 1000,
	  .gid = 1000,
	  .cgroup_driver = CG_DRIVER_DISABLED,
	  .n_cpus = 1,
	  .host_memory = 1 << 30 },
	{ .id = "fuzz",
	  .bundle = "/b",
	  .cgroup_driver = CG_DRIVER_SYSTEMD,
	  .isolation_vm = true,
	  .n_cpus = 64,
	  .host_memory = UINT64_MAX },
};

static void check_again(const char *text, size_t len)
{
	struct plan p = { 0 };
	struct err e = { 0 };
	char *again;

	if (json_read(text, len, &plan_table, &p, "plan", &e) < 0 ||
	    json_write(&plan_table, &p, false, &again, NULL, &e) < 0 ||
	    __builtin_strcmp(text, again) != 0)
		abort();
	free(again);
	plan_done(&p);
}

static void make(const struct spec *s, const struct plan_context *ctx)
{
	struct plan p = { 0 };
	struct err e = { 0 };
	char *text;
	size_t len;

	if (plan_make(s, ctx, &p, &e) < 0) {
		if (!e.text[0])
			abort();
		return;
	}
	if (json_write(&plan_table, &p, false, &text, &len, &e) == 0) {
		check_again(text, len);
		free(text);
	}
	plan_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spec s = { 0 };
	struct err e = { 0 };

	if (spec_parse((const char *)data, size, "fuzz", &s, &e) < 0) {
		if (!e.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++)
		make(&s, &machines[i]);
	spec_done(&s);
	return 0;
}
