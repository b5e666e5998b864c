/* SPDX-License-Identifier: Apache-2.0 */
#include "src/cli/oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "src/oci/spec.h"
#include "src/runtime/rt.h"

struct spec_opts {
	const char *bundle;
	const char *file;
	bool rootless;
};

static const struct cmd_opt options[] = {
	OPT_STR('b', "bundle", "DIR", struct spec_opts, bundle,
		"write it there, instead of the current folder"),
	OPT_STR('f', "config", "FILE", struct spec_opts, file,
		"its name, instead of config.json"),
	OPT_FLAG(0, "rootless", struct spec_opts, rootless,
		 "for a caller who is not root"),
};

static int spec_run(const struct cmd_call *call, struct err *e)
{
	const struct spec_opts *o = call->opts;
	const char *dir = o->bundle ? o->bundle : ".";
	const char *name = o->file ? o->file : "config.json";
	struct spec_default d = {
		.rootless = o->rootless,
		.host_network = o->rootless,
		.uid = geteuid(),
		.gid = getegid(),
		/* As with the peers: elsewhere it hides what the container
		 * would need to find its groups. */
		.cgroup_namespace = rt_v2_only(),
	};
	autofree char *text = NULL;
	autoclose int dirfd = -1, fd = -1;
	int r;

	r = spec_default(&d, &text, e);
	if (r < 0)
		return r;
	dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return err_errno(e, "open '%s'", dir);
	/* Somebody's configuration is not overwritten. */
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_errno(e, "make '%s'", name);
	r = fd_write_all(fd, text, strlen(text));
	return r < 0 ? err_code(e, r, "write '%s'", name) : 0;
}

const struct cmd oci_cmd_spec = {
	.name = "spec",
	.max_args = 0,
	.help = "write an example config.json",
	CMD_OPTS(struct spec_opts, options),
	.run = spec_run,
};
