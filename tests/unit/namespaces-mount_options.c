/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/mount.h>

#include "base/str.h"
#include "namespaces/mount.h"
#include "tests/unit/tap.h"

static void release(struct ns_mount *m)
{
	free(m->uids.v);
	free(m->gids.v);
	(void)memset(m, 0, sizeof(*m));
}

/* The words of a comma list, one after the other; the last one's answer. */
static int apply(struct ns_mount *m, const char *words, struct err *e)
{
	autostrv char **list = NULL;
	int r = strv_split(words, ',', &list);

	STRV_FOREACH(w, list) {
		r = ns_mount_option(m, *w, e);
		if (r < 0)
			break;
	}
	return r;
}

TEST(names_are_sorted_and_each_is_an_option)
{
	for (size_t i = 0; i < n_ns_mount_option_names; i++) {
		const char *name = ns_mount_option_names[i];
		struct ns_mount m = { 0 };
		struct err e = { 0 };

		if (i > 0 &&
		    !CHECK(strcmp(ns_mount_option_names[i - 1], name) < 0))
			tap_note("'%s' is out of order", name);
		/* Bisection finds it, so the table has the same order. */
		if (!CHECK_INT(ns_mount_option(&m, name, &e), 1))
			tap_note("'%s' is not in the table", name);
		release(&m);
	}
}

TEST(words_of_the_file_system_are_left_alone)
{
	static const char *const words[] = { "size=64k", "mode=755",
					     "",	 "Ro",
					     "nosuid ",	 "index=off",
					     "idmapx" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct ns_mount m = { 0 }, zero = { 0 };
		struct err e = { 0 };

		CHECK_INT(ns_mount_option(&m, words[i], &e), 0);
		CHECK(memcmp(&m, &zero, sizeof(m)) == 0);
	}
}

/* clang-format off */
static const struct {
	const char *words;
	struct ns_mount want;
} effects[] = {
	{ "nosuid,nodev,noexec", { .set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC } },
	{ "nosuid,suid",   { .clear = MOUNT_ATTR_NOSUID } },
	{ "suid,nosuid",   { .set = MOUNT_ATTR_NOSUID } },
	{ "ro",            { .set = MOUNT_ATTR_RDONLY, .flags = NS_MOUNT_RO } },
	{ "ro,rw",         { .clear = MOUNT_ATTR_RDONLY } },
	{ "noatime",       { .set = MOUNT_ATTR_NOATIME, .clear = MOUNT_ATTR__ATIME } },
	{ "noatime,strictatime", { .set = MOUNT_ATTR_STRICTATIME, .clear = MOUNT_ATTR__ATIME } },
	{ "strictatime,relatime", { .clear = MOUNT_ATTR__ATIME } },
	{ "nodiratime,diratime", { .clear = MOUNT_ATTR_NODIRATIME } },
	{ "rro,rnosuid",   { .rec_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID } },
	{ "rro,rrw",       { .rec_clear = MOUNT_ATTR_RDONLY } },
	{ "rnoatime",      { .rec_set = MOUNT_ATTR_NOATIME, .rec_clear = MOUNT_ATTR__ATIME } },
	{ "nosymfollow",   { .set = MOUNT_ATTR_NOSYMFOLLOW } },
	{ "rslave",        { .propagation = MS_SLAVE | MS_REC } },
	{ "rshared,private", { .propagation = MS_PRIVATE } },
	{ "sync,dirsync,async", { .sb_flags = MS_DIRSYNC } },
	{ "lazytime,iversion,noiversion", { .sb_flags = MS_LAZYTIME } },
	{ "silent,mand,loud,nomand", { .sb_flags = 0 } },
	{ "bind",          { .flags = NS_MOUNT_BIND } },
	{ "rbind",         { .flags = NS_MOUNT_BIND | NS_MOUNT_RBIND } },
	{ "ridmap",        { .flags = NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC } },
	{ "tmpcopyup,copy-symlink,src-nofollow,dest-nofollow,remount",
	  { .flags = NS_MOUNT_COPY_UP | NS_MOUNT_COPY_LINK | NS_MOUNT_NO_SRC_LINK |
		     NS_MOUNT_NO_DST_LINK | NS_MOUNT_REMOUNT } },
	{ "defaults,norelatime,rnorelatime", { .flags = 0 } },
};
/* clang-format on */

TEST(a_later_word_overrides_an_earlier_one)
{
	for (size_t i = 0; i < ARRAY_SIZE(effects); i++) {
		struct ns_mount m = { 0 };
		struct err e = { 0 };

		if (!CHECK_INT(apply(&m, effects[i].words, &e), 1) ||
		    !CHECK(memcmp(&m, &effects[i].want, sizeof(m)) == 0))
			tap_note("in '%s'", effects[i].words);
	}
}

TEST(idmap_takes_mappings_of_its_own)
{
	struct ns_mount m = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(ns_mount_option(&m, "ridmap=uids=0-1-10#10-11-20;gids=5-6-7",
				   &e),
		   &e);
	CHECK_INT(m.flags, NS_MOUNT_IDMAP | NS_MOUNT_IDMAP_REC);
	REQUIRE(m.uids.n == 2 && m.gids.n == 1);
	CHECK_INT(m.uids.v[1].container_id, 10);
	CHECK_INT(m.uids.v[1].host_id, 11);
	CHECK_INT(m.uids.v[1].size, 20);
	CHECK_INT(m.gids.v[0].host_id, 6);

	/* A second one replaces it. */
	CHECK_INT(ns_mount_option(&m, "idmap=uids=1-1-1;gids=1-1-1", &e), 1);
	CHECK_INT(m.uids.n, 1);
	release(&m);
}

TEST(a_misspelt_idmap_is_an_error)
{
	static const char *const words[] = {
		"idmap=",
		"idmap=uids=0-1-10",
		"idmap=gids=0-1-10",
		"idmap=uids=0-1-10;gids=0-1",
		"idmap=uids=0-1-10;gids=0-1-2-3",
		"idmap=uids=0-1-10;gids=0-1-x",
		"idmap=uids=0-1-10;gids=0-1--1",
		"idmap=uids=;gids=0-1-1",
		"idmap=uids=0-1-10#;gids=0-1-1",
		"idmap=uids=0-1-10;gids=0-1-1;pids=0-1-1",
		"idmap=uids=0-1-4294967296;gids=0-1-1",
		"idmap=@",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct ns_mount m = { 0 };
		struct err e = { 0 };

		if (!CHECK(ns_mount_option(&m, words[i], &e) < 0) ||
		    !CHECK_HAS(e.text, words[i]))
			tap_note("in '%s'", words[i]);
		release(&m);
	}
}

TEST(relative_mappings_are_ids_of_the_container)
{
	struct ns_idmap outside[] = { { 0, 0, 1 }, { 1, 1000, 100 } };
	const struct ns_map container = {
		.uids = { outside, ARRAY_SIZE(outside) },
		.gids = { outside, ARRAY_SIZE(outside) },
	};
	struct ns_mount m = { 0 };
	struct err e = { 0 };

	REQUIRE_OK(ns_mount_option(&m, "idmap=uids=@1-3-10;gids=1-3-10", &e),
		   &e);
	CHECK(m.flags & NS_MOUNT_REL_UIDS);
	CHECK(!(m.flags & NS_MOUNT_REL_GIDS));
	REQUIRE_OK(ns_mount_idmap_resolve(&m, &container, &e), &e);
	CHECK_INT(m.uids.v[0].host_id, 1002);
	CHECK_INT(m.gids.v[0].host_id, 3);
	CHECK_INT(m.flags, NS_MOUNT_IDMAP);
	/* Done once, it changes nothing again. */
	REQUIRE_OK(ns_mount_idmap_resolve(&m, &container, &e), &e);
	CHECK_INT(m.uids.v[0].host_id, 1002);

	/* A range that is in two pieces outside is none. */
	REQUIRE_OK(ns_mount_option(&m, "idmap=uids=@0-0-2;gids=0-0-2", &e), &e);
	CHECK_INT(ns_mount_idmap_resolve(&m, &container, &e), -EINVAL);
	CHECK_HAS(e.text, "user mapping 0");
	release(&m);
}

/* clang-format off */
#define S(s) ((char *)(s))

static struct ns_idmap one[] = { { 0, 1, 1 } };

static const struct {
	struct ns_mount m;
	const char *says; /* NULL: fine */
} checks[] = {
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_BIND }, NULL },
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_RBIND }, NULL },
	{ { .fstype = S("tmpfs"), .target = S("/b"), .flags = NS_MOUNT_COPY_UP }, NULL },
	{ { .target = S("/sys/fs/cgroup"), .flags = NS_MOUNT_CGROUP }, NULL },
	{ { .target = S("/b"), .flags = NS_MOUNT_REMOUNT }, NULL },
	{ { .source = S("/a"), .flags = NS_MOUNT_BIND }, "not absolute" },
	{ { .source = S("/a"), .target = S("b"), .flags = NS_MOUNT_BIND }, "not absolute" },
	{ { .source = S("a"), .target = S("/b"), .flags = NS_MOUNT_BIND }, "the source 'a'" },
	{ { .source = S("/a"), .target = S("/b") }, "neither a bind nor a type" },
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_BIND, .sb_flags = MS_SYNCHRONOUS }, "a bind cannot change them" },
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_BIND | NS_MOUNT_COPY_UP }, "'tmpcopyup' is for tmpfs only" },
	{ { .fstype = S("proc"), .target = S("/b"), .flags = NS_MOUNT_COPY_UP }, "'tmpcopyup' is for tmpfs only" },
	{ { .fstype = S("tmpfs"), .target = S("/b"), .flags = NS_MOUNT_IDMAP }, "'idmap' is for bind mounts only" },
	{ { .fstype = S("tmpfs"), .target = S("/b"), .flags = NS_MOUNT_COPY_LINK }, "'copy-symlink' is for bind" },
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_BIND | NS_MOUNT_IDMAP, .uids = { one, 1 } }, "user and group mappings" },
	{ { .source = S("/a"), .target = S("/b"), .flags = NS_MOUNT_BIND, .uids = { one, 1 }, .gids = { one, 1 } }, "mappings without idmap" },
};
/* clang-format on */

TEST(what_does_not_fit_together_is_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct err e = { 0 };
		int r = ns_mount_check(&checks[i].m, &e);
		bool held = checks[i].says
				    ? CHECK_INT(r, -EINVAL) &&
					      CHECK_HAS(e.text, checks[i].says)
				    : CHECK_OK(r, &e);

		if (!held)
			tap_note("case %zu", i);
	}
}

static const struct tap_test tests[] = {
	TAP(names_are_sorted_and_each_is_an_option),
	TAP(words_of_the_file_system_are_left_alone),
	TAP(a_later_word_overrides_an_earlier_one),
	TAP(idmap_takes_mappings_of_its_own),
	TAP(a_misspelt_idmap_is_an_error),
	TAP(relative_mappings_are_ids_of_the_container),
	TAP(what_does_not_fit_together_is_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
