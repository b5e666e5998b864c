/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Where an environment lives; see eng.h for the picture. Private to the
 * engine. */
#include "src/engine/eng.h"

struct eng_env {
	char *id;
	char *state_root; /* of all environments */
	char *parent;	  /* of all bundles */
	char *bundle;
	char *scratch;
};

/* The paths alone. */
MUST_CHECK int eng_env_paths(const struct eng_context *ctx, const char *id,
			     struct eng_env *ret, struct err *e);
/* The folders; -EEXIST when the name is taken. */
MUST_CHECK int eng_env_make(const struct eng_context *ctx, const char *id,
			    struct eng_env *ret, struct err *e);
/* config.json */
MUST_CHECK int eng_env_configure(const struct eng_context *ctx,
				 const struct eng_run *run,
				 const struct eng_env *env, struct err *e);
/* The folders with all that was written; not the state. */
MUST_CHECK int eng_env_erase(const struct eng_env *env, struct err *e);
void eng_env_done(struct eng_env *env);
