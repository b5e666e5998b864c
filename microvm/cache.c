/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/cache.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

#define ID_MAX 8192

static uint64_t fnv1a(const char *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h;
}

static int file_name(const char *name, const char *id, const char *suffix,
		     char ret[NAME_MAX + 1], struct err *e)
{
	int n = snprintf(ret, NAME_MAX + 1, "%s-%016llx%s", name,
			 (unsigned long long)fnv1a(id), suffix);

	if (n > NAME_MAX)
		return err_set(e, -ENAMETOOLONG, "cache: name '%s'", name);
	return 0;
}

static int append(char **id, char *line, struct err *e)
{
	autofree char *own = line;
	char *both;

	both = own ? str_printf("%s%s", *id ? *id : "", own) : NULL;
	if (!both)
		return err_nomem(e);
	free(*id);
	*id = both;
	return 0;
}

int vm_cache_add_text(char **id, const char *what, const char *text,
		      struct err *e)
{
	return append(id, str_printf("%s %s\n", what, text), e);
}

int vm_cache_add_source(char **id, const char *what, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat %s", what);
	return append(
		id,
		str_printf("%s %llu:%llu %lld %lld.%09ld %lld.%09ld\n", what,
			   (unsigned long long)st.st_dev,
			   (unsigned long long)st.st_ino, (long long)st.st_size,
			   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
			   (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec),
		e);
}

/* What the .id file of this very inode says. */
static char *tie(const char *id, const struct stat *st)
{
	return str_printf("%smade %llu %lld\n", id,
			  (unsigned long long)st->st_ino,
			  (long long)st->st_size);
}

/* Of each kind, so many: some kernels, and for each of them an initramfs by
 * back end and needs. About 350 MB with those of Debian. */
static const struct path_prune bounds[] = {
	{ .prefix = "vmlinux-", .twin = ".id", .keep = 4 },
	{ .prefix = "initramfs-", .twin = ".id", .keep = 16 },
};

/* What cannot be removed does not hinder whoever starts a machine. */
static void prune(int dirfd)
{
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		if (path_prune(dirfd, &bounds[i], &e) < 0)
			log_debug("cache: %s", err_text(&e));
}

int vm_cache_get(int dirfd, const char *name, const char *id, struct err *e)
{
	char file[NAME_MAX + 1], id_file[NAME_MAX + 1], found[ID_MAX];
	autofree char *expected = NULL;
	autoclose int fd = -1;
	struct stat st;
	int r;

	r = file_name(name, id, "", file, e);
	if (r < 0)
		return r;
	r = file_name(name, id, ".id", id_file, e);
	if (r < 0)
		return r;

	fd = openat(dirfd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, "open '%s'", file);
	if (fstat(fd, &st) < 0)
		return err_errno(e, "stat '%s'", file);
	expected = tie(id, &st);
	if (!expected)
		return err_nomem(e);
	/* It is booted from: whoever may write it owns the guest. */
	if (!S_ISREG(st.st_mode) || (st.st_mode & 022) ||
	    (st.st_uid != 0 && st.st_uid != geteuid()) ||
	    fd_read_small_at(dirfd, id_file, found, sizeof(found)) < 0)
		return err_set(e, -ENOENT, "cache: '%s' is stale", file);
	/* fd_read_small_at() cuts the last newline. */
	expected[strlen(expected) - 1] = '\0';
	if (!str_eq(found, expected))
		return err_set(e, -ENOENT, "cache: '%s' is stale", file);
	/* What is used stays; whose file it is may say so. */
	(void)futimens(fd, NULL);
	return steal_fd(&fd);
}

int vm_cache_put(int dirfd, const char *name, const char *id, const void *data,
		 size_t len, struct err *e)
{
	char file[NAME_MAX + 1], id_file[NAME_MAX + 1];
	autofree char *tied = NULL;
	struct stat st;
	int r;

	r = file_name(name, id, "", file, e);
	if (r < 0)
		return r;
	r = file_name(name, id, ".id", id_file, e);
	if (r < 0)
		return r;

	/* On the disk before its identity is: a crash between leaves a file
	 * that matches nothing. */
	r = fd_replace_at(dirfd, file, data, len, 0644, true, e);
	if (r < 0)
		return err_wrap(e, r, "cache");
	if (fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, "stat '%s'", file);
	tied = tie(id, &st);
	if (!tied)
		return err_nomem(e);
	r = fd_replace_at(dirfd, id_file, tied, strlen(tied), 0644, false, e);
	if (r < 0)
		return err_wrap(e, r, "cache");
	r = vm_cache_get(dirfd, name, id, e);
	prune(dirfd);
	return r;
}
