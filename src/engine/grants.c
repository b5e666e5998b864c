/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/str.h"
#include "namespaces/caps.h"
#include "src/engine/config.h"
#include "src/oci/spec.h"

/* --- capabilities ---------------------------------------------------------*/

struct cap_words {
	uint64_t named;
	bool all;
};

static int read_caps(const char *option, char *const *words,
		     struct cap_words *ret, struct err *e)
{
	STRV_FOREACH(word, words) {
		unsigned int cap;

		if (strcasecmp(*word, "all") == 0) {
			ret->all = true;
			continue;
		}
		if (ns_cap_parse(*word, &cap) < 0)
			return err_set(e, -EINVAL, "%s: no capability '%s'",
				       option, *word);
		ret->named |= 1ULL << cap;
	}
	return 0;
}

static int read_default_caps(uint64_t *ret, struct err *e)
{
	struct cap_words w = { 0 };
	int r = read_caps("default", (char *const *)eng_default_caps, &w, e);

	if (r == 0)
		*ret = w.named;
	return r;
}

/* What is named goes before "all": --cap-drop all --cap-add chown. */
static int choose_caps(const struct eng_run *run, uint64_t *ret, struct err *e)
{
	struct cap_words add = { 0 }, drop = { 0 };
	uint64_t caps = 0;
	int r;

	r = read_default_caps(&caps, e);
	if (r == 0)
		r = read_caps("--cap-add", run->cap_add, &add, e);
	if (r == 0)
		r = read_caps("--cap-drop", run->cap_drop, &drop, e);
	if (r < 0)
		return r;
	if ((add.named & drop.named) || (add.all && drop.all))
		return err_set(e, -EINVAL,
			       "a capability is both added and dropped");
	if (add.all)
		caps = ns_caps_known();
	if (drop.all)
		caps = 0;
	*ret = (caps | add.named) & ~drop.named;
	return 0;
}

static int name_caps(uint64_t caps, char ***ret, struct err *e)
{
	strv_free(steal_ptr(*ret));
	for (unsigned int cap = 0; cap < 64; cap++) {
		const char *name = ns_cap_name(cap);

		if ((caps & (1ULL << cap)) && name && strv_add(ret, name) < 0)
			return err_nomem(e);
	}
	return 0;
}

int eng_grant_caps(const struct eng_run *run, struct spec_capabilities *c,
		   struct err *e)
{
	uint64_t caps;
	int r;

	r = choose_caps(run, &caps, e);
	if (r == 0)
		r = name_caps(caps, &c->bounding, e);
	if (r == 0)
		r = name_caps(caps, &c->effective, e);
	if (r == 0)
		r = name_caps(caps, &c->permitted, e);
	strv_free(steal_ptr(c->inheritable));
	strv_free(steal_ptr(c->ambient));
	return r;
}

/* --- volumes --------------------------------------------------------------*/

static int set_options(const char *word, char ***ret, struct err *e)
{
	bool ro = word && str_eq(word, "ro");

	if (word && !ro && !str_eq(word, "rw"))
		return err_set(e, -EINVAL, "'%s' is neither ro nor rw", word);
	if (strv_add(ret, "rbind") < 0 || strv_add(ret, ro ? "rro" : "rw") < 0)
		return err_nomem(e);
	return 0;
}

static int fill_mount(char *const *part, struct spec_mount *m, struct err *e)
{
	size_t n = strv_len(part);

	if (n < 2 || n > 3 || *part[1] != '/')
		return err_set(e, -EINVAL, "not SOURCE:/TARGET[:ro]");
	/* A word alone is the name of a volume elsewhere. */
	if (*part[0] != '/' && *part[0] != '.')
		return err_set(e, -EINVAL, "'%s' is no path", part[0]);
	m->source = realpath(part[0], NULL);
	if (!m->source)
		return err_errno(e, "'%s'", part[0]);
	m->destination = strdup(part[1]);
	m->type = strdup("bind");
	if (!m->destination || !m->type)
		return err_nomem(e);
	return set_options(part[2], &m->options, e);
}

static int add_volume(struct spec_mounts *mounts, const char *text,
		      struct err *e)
{
	struct spec_mount *v =
		reallocarray(mounts->v, mounts->n + 1, sizeof(*v));
	autostrv char **part = NULL;
	int r;

	if (!v)
		return err_nomem(e);
	mounts->v = v;
	v[mounts->n] = (struct spec_mount){ 0 };
	if (strv_split(text, ':', &part) < 0)
		return err_nomem(e);
	/* Half of one belongs to the list, too, which is freed as a whole. */
	r = fill_mount(part, &v[mounts->n++], e);
	return r < 0 ? err_wrap(e, r, "--volume '%s'", text) : 0;
}

int eng_grant_volumes(const struct eng_run *run, struct spec_mounts *mounts,
		      struct err *e)
{
	STRV_FOREACH(text, run->volumes) {
		int r = add_volume(mounts, *text, e);

		if (r < 0)
			return r;
	}
	return 0;
}
