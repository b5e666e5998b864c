/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "src/oci/features.h"

static int features_run(const struct cmd_call *call, struct err *e)
{
	autofree char *text = NULL;
	int r;

	r = features_write(&text, e);
	if (r < 0)
		return r;
	(void)puts(text);
	return 0;
}

const struct cmd oci_cmd_features = {
	.name = "features",
	.max_args = 0,
	.help = "print what this runtime can do, as JSON",
	.run = features_run,
};
