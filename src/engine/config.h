/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* From what a user asked for to the config.json of a bundle. */
#include "src/engine/eng.h"

struct eng_bundle {
	const char *id;
	const char *dir;     /* absolute */
	const char *scratch; /* absolute */
	const char *store;   /* hidden from the environment */
};

/* The text of config.json, the caller's to free. */
MUST_CHECK int eng_config(const struct eng_context *ctx,
			  const struct eng_run *run, const struct eng_bundle *b,
			  char **ret, struct err *e);

struct spec_capabilities;
struct spec_mounts;

/* The default ones, with what the user adds and without what he drops. */
MUST_CHECK int eng_grant_caps(const struct eng_run *run,
			      struct spec_capabilities *c, struct err *e);
/* Appended; on failure the list is to be freed as it is. */
MUST_CHECK int eng_grant_volumes(const struct eng_run *run,
				 struct spec_mounts *mounts, struct err *e);

/* "name[:group]" or numbers, by the passwd and group files below rootfd. */
struct eng_user {
	uint32_t uid, gid;
};
MUST_CHECK int eng_user_find(int rootfd, const char *text, struct eng_user *ret,
			     struct err *e);

/* What an environment gets unless something else is said. */
extern const char *const eng_default_caps[]; /* NULL at the end */
extern const char *const eng_default_env[];
/* A system call, and the capability that opens it; NULL: none does. */
struct eng_denied_call {
	const char *name;
	const char *unless;
};
extern const struct eng_denied_call eng_denied_calls[]; /* no name at the end */
