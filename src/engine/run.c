/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "src/engine/config.h"
#include "src/engine/store.h"
#include "src/runtime/rt.h"

const char *const eng_network_names[] = { "none", "host", NULL };

#define ID_BYTES 6

/* Twelve hexadecimal digits: short enough to type, long enough to be one's
 * own. */
static int make_id(char id[2 * ID_BYTES + 1], struct err *e)
{
	uint8_t bytes[ID_BYTES];

	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return err_errno(e, "get random bytes");
	str_hex(bytes, sizeof(bytes), id);
	return 0;
}

/* Without -i the program's input is empty, whatever ours is. */
static int choose_stdin(const struct eng_run *run, struct err *e)
{
	autoclose int null = -1;

	if (run->interactive)
		return 0;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0)
		return err_errno(e, "open '/dev/null'");
	if (dup2(null, STDIN_FILENO) < 0) /* meant for the program */
		return err_errno(e, "empty the input");
	return 0;
}

static int check(const struct eng_run *run, struct err *e)
{
	if (!str_eq(run->image, "host"))
		return err_set(
			e, -EINVAL,
			"unknown image '%s': so far there is only 'host', this machine's own root",
			run->image);
	if (run->tty && run->interactive && !isatty(STDIN_FILENO))
		return err_set(e, -EINVAL,
			       "-it needs a terminal on stdin; leave -t away");
	return 0;
}

static int run_bundle(const struct eng_context *ctx, const struct eng_run *run,
		      const char *id, const struct eng_env *env, struct err *e)
{
	struct rt_context rt = {
		.root = env->state_root,
		.rootless = ctx->rootless,
	};
	struct rt_create create = {
		.id = id,
		.bundle = env->bundle,
		.keep = !run->remove,
	};
	int r;

	r = choose_stdin(run, e);
	return r < 0 ? r : rt_run(&rt, &create, e);
}

int eng_run(const struct eng_context *ctx, const struct eng_run *run,
	    struct err *e)
{
	_cleanup_(eng_env_done) struct eng_env env = { 0 };
	char made_up[2 * ID_BYTES + 1];
	const char *id = run->name ? run->name : made_up;
	struct err ignored = { 0 };
	int r, status;

	r = check(run, e);
	if (r >= 0)
		r = make_id(made_up, e);
	if (r >= 0)
		r = eng_env_make(ctx, id, &env, e);
	if (r < 0)
		return r;
	status = eng_env_configure(ctx, run, &env, e);
	if (status >= 0)
		status = run_bundle(ctx, run, id, &env, e);
	if (run->remove || status < 0) {
		r = eng_env_erase(&env, status < 0 ? &ignored : e);
		if (r < 0 && status >= 0)
			return r;
	}
	return status;
}
