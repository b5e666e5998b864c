/* SPDX-License-Identifier: Apache-2.0 */
#include "src/engine/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "src/engine/config.h"
#include "src/oci/state.h"

int eng_env_paths(const struct eng_context *ctx, const char *id,
		  struct eng_env *ret, struct err *e)
{
	int r;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	ret->id = strdup(id);
	ret->state_root = path_join(ctx->state, "environments");
	ret->parent = path_join(ctx->store, "environments");
	ret->bundle = ret->parent ? path_join(ret->parent, id) : NULL;
	ret->scratch = ret->bundle ? path_join(ret->bundle, "scratch") : NULL;
	if (!ret->id || !ret->state_root || !ret->scratch)
		return err_nomem(e);
	return 0;
}

static int make_folders(const struct eng_env *env, struct err *e)
{
	/* The overlay's upper and work, and where it is mounted. What a
	 * container writes is nobody's business but its own. */
	static const char *const folders[] = { "rootfs", "scratch" };
	autoclose int dir = -1;

	dir = open(env->bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "open '%s'", env->bundle);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(dir, folders[i], 0700) < 0)
			return err_errno(e, "make '%s/%s'", env->bundle,
					 folders[i]);
	return 0;
}

int eng_env_make(const struct eng_context *ctx, const char *id,
		 struct eng_env *ret, struct err *e)
{
	int r;

	r = eng_env_paths(ctx, id, ret, e);
	if (r >= 0)
		r = path_make_dirs(ret->parent, 0700, e);
	if (r >= 0)
		r = path_make_dirs(ret->state_root, 0700, e);
	if (r < 0)
		return r;
	if (mkdir(ret->bundle, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(
				e, -EEXIST,
				"the name '%s' is taken; 'moat rm %s' frees it",
				id, id);
		return err_errno(e, "make '%s'", ret->bundle);
	}
	r = make_folders(ret, e);
	if (r < 0) {
		struct err ignored = { 0 };

		(void)!eng_env_erase(ret, &ignored);
	}
	return r;
}

int eng_env_configure(const struct eng_context *ctx, const struct eng_run *run,
		      const struct eng_env *env, struct err *e)
{
	struct eng_bundle b = {
		.id = env->id,
		.dir = env->bundle,
		.scratch = env->scratch,
		.store = ctx->store,
	};
	autofree char *text = NULL;
	autoclose int dir = -1;
	int r;

	r = eng_config(ctx, run, &b, &text, e);
	if (r < 0)
		return r;
	dir = open(env->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "open '%s'", env->bundle);
	return fd_replace_at(dir, "config.json", text, strlen(text), 0600,
			     false, e);
}

int eng_env_erase(const struct eng_env *env, struct err *e)
{
	autoclose int parent = -1;

	parent = open(env->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return errno == ENOENT ? 0
				       : err_errno(e, "open '%s'", env->parent);
	return path_remove_tree(parent, env->id, e);
}

void eng_env_done(struct eng_env *env)
{
	free(env->id);
	free(env->state_root);
	free(env->parent);
	free(env->bundle);
	free(env->scratch);
}
