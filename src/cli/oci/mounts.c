/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>

#include "base/str.h"

static const struct {
	const char *name;
	int (*run)(const struct rt_context *ctx, const char *id,
		   const char *file, struct err *e);
} actions[] = {
	{ "add", rt_mounts_add },
	{ "remove", rt_mounts_remove },
};

static int mounts_run(const struct cmd_call *call, struct err *e)
{
	struct rt_context ctx = oci_context(call);
	char *const *args = call->args;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		if (!str_eq(args[0], actions[i].name))
			continue;
		r = rt_protect_self(oci_argv(), e);
		return r < 0 ? r : actions[i].run(&ctx, args[1], args[2], e);
	}
	return err_set(e, -EINVAL, "'%s' is not one of add, remove", args[0]);
}

const struct cmd oci_cmd_mounts = {
	.name = "mounts",
	.args = "add|remove ID FILE",
	.min_args = 3,
	.max_args = 3,
	.help = "add mounts to a running container, or take them away",
	.run = mounts_run,
};
