/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "src/cli/oci/print.h"

static int state_run(const struct cmd_call *call, struct err *e)
{
	_cleanup_(state_done) struct state s = { 0 };
	_cleanup_(json_out_done) struct json_out o = { .pretty = true };
	struct rt_context ctx = oci_context(call);
	int r;

	r = rt_state(&ctx, call->args[0], &s, e);
	if (r < 0)
		return r;
	oci_write_state(&o, &s);
	return oci_print(&o, e);
}

const struct cmd oci_cmd_state = {
	.name = "state",
	.args = "ID",
	.min_args = 1,
	.max_args = 1,
	.help = "print the state of a container as JSON",
	.run = state_run,
};
