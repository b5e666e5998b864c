/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"

/*
 * Super block flags. Those without a word are no parameters of the new mount
 * API: only mount(2) can pass them on.
 */
static const struct {
	uint32_t ms;
	const char *word;
} sb_words[] = {
	{ MS_SYNCHRONOUS, "sync" }, { MS_DIRSYNC, "dirsync" },
	{ MS_MANDLOCK, "mand" },    { MS_LAZYTIME, "lazytime" },
	{ MS_POSIXACL, NULL },	    { MS_SILENT, NULL },
	{ MS_I_VERSION, NULL },
};

/* clang-format off */
/*
 * File systems whose super block is shared with others of the same kernel or
 * namespace: "ro" is for the mount alone. The label is not for them either.
 */
static const char *const shared[] = {
	"cgroup", "cgroup2", "mqueue", "proc", "sysfs",
};

static const struct {
	uint64_t attr;
	unsigned long ms;
} attr_flags[] = {
	{ MOUNT_ATTR_RDONLY,      MS_RDONLY },
	{ MOUNT_ATTR_NOSUID,      MS_NOSUID },
	{ MOUNT_ATTR_NODEV,       MS_NODEV },
	{ MOUNT_ATTR_NOEXEC,      MS_NOEXEC },
	{ MOUNT_ATTR_NODIRATIME,  MS_NODIRATIME },
	{ MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW },
};
/* clang-format on */

static bool is_shared(const struct ns_fs *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++)
		if (strcmp(shared[i], fs->type) == 0)
			return true;
	return false;
}

/*
 * What the kernel wrote into the context: lines that begin with "e ", "w " or
 * "i ". The last error is the one that counts.
 */
static int fs_failed(int fsfd, const char *what, struct err *e)
{
	char line[256], text[256] = "";
	int code = -errno;
	ssize_t n;

	while ((n = read(fsfd, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (str_starts(line, "e ") || !text[0])
			(void)snprintf(text, sizeof(text), "%s", line);
	}
	if (!text[0])
		return err_code(e, code, "%s", what);
	return err_set(e, code, "%s: %s", what,
		       strlen(text) > 2 ? text + 2 : text);
}

int ns_fs_open(const char *type, struct err *e)
{
	int fd = fsopen(type, FSOPEN_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENODEV)
		return err_set(e, -ENODEV, "the kernel has no file system '%s'",
			       type);
	return err_errno(e, "open file system '%s'", type);
}

int ns_fs_set(int fsfd, const char *key, const char *value, struct err *e)
{
	enum fsconfig_command cmd =
		value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
	char what[128];

	if (fsconfig(fsfd, cmd, key, value, 0) == 0)
		return 0;
	(void)snprintf(what, sizeof(what), "option '%s'", key);
	return fs_failed(fsfd, what, e);
}

int ns_fs_create(int fsfd, uint64_t attrs, struct err *e)
{
	int fd;

	if (fsconfig(fsfd, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_failed(fsfd, "create", e);
	fd = fsmount(fsfd, FSMOUNT_CLOEXEC, (unsigned int)attrs);
	return fd < 0 ? fs_failed(fsfd, "mount", e) : fd;
}

/*
 * Cuts the next word off a comma list. A comma in double quotes (SELinux) or
 * behind a backslash (overlay) does not separate.
 */
static char *next_word(char **rest)
{
	char *word = *rest, *p = word;
	bool quoted = false;

	if (!word)
		return NULL;
	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '\\' && p[1])
			p++;
	}
	*rest = *p ? p + 1 : NULL;
	*p = '\0';
	return word;
}

bool ns_fs_has_option(const char *data, const char *name)
{
	size_t len = strlen(name);

	while (data) {
		if (strncmp(data, name, len) == 0 &&
		    (data[len] == '=' || data[len] == ',' || !data[len]))
			return true;
		data = strchr(data, ',');
		if (data)
			data++;
	}
	return false;
}

static char *unquote(char *value)
{
	size_t n = value ? strlen(value) : 0;

	if (n < 2 || value[0] != '"' || value[n - 1] != '"')
		return value;
	value[n - 1] = '\0';
	return value + 1;
}

static int set_word(int fsfd, char *word, struct err *e)
{
	char *value = strchr(word, '=');

	if (value)
		*value++ = '\0';
	return ns_fs_set(fsfd, word, unquote(value), e);
}

static int set_data(int fsfd, const struct ns_fs *fs, struct err *e)
{
	autofree char *copy = NULL;
	char *rest, *word;
	int r = 0;

	if (!fs->data || !*fs->data)
		return 0;
	rest = copy = strdup(fs->data);
	if (!copy)
		return err_nomem(e);
	while (r >= 0 && (word = next_word(&rest)) != NULL)
		if (*word)
			r = set_word(fsfd, word, e);
	return r;
}

static int set_sb_flags(int fsfd, const struct ns_fs *fs, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(sb_words) && r >= 0; i++)
		if (fs->sb_flags & sb_words[i].ms)
			r = ns_fs_set(fsfd, sb_words[i].word, NULL, e);
	if (r >= 0 && fs->readonly && !is_shared(fs))
		r = ns_fs_set(fsfd, "ro", NULL, e);
	return r;
}

static bool wants_label(const struct ns_fs *fs)
{
	return fs->label && !is_shared(fs) &&
	       !ns_fs_has_option(fs->data, "context");
}

static int set_all(int fsfd, const struct ns_fs *fs, struct err *e)
{
	int r = ns_fs_set(fsfd, "source", fs->source ? fs->source : fs->type,
			  e);

	if (r >= 0)
		r = set_sb_flags(fsfd, fs, e);
	if (r >= 0 && fs->mode)
		r = ns_fs_set(fsfd, "mode", fs->mode, e);
	if (r >= 0 && wants_label(fs))
		r = ns_fs_set(fsfd, "context", fs->label, e);
	return r < 0 ? r : set_data(fsfd, fs, e);
}

static bool needs_mount2(const struct ns_fs *fs)
{
	for (size_t i = 0; i < ARRAY_SIZE(sb_words); i++)
		if (!sb_words[i].word && (fs->sb_flags & sb_words[i].ms))
			return true;
	return false;
}

static int try_make(const struct ns_fs *fs, struct err *e)
{
	autoclose int fsfd = -1;
	int r;

	if (needs_mount2(fs))
		return err_set(e, -EOPNOTSUPP,
			       "an option is known to mount(2) only");
	fsfd = ns_fs_open(fs->type, e);
	if (fsfd == -ENOSYS)
		return err_set(e, -EOPNOTSUPP, "fsopen is missing");
	if (fsfd < 0)
		return fsfd;

	r = set_all(fsfd, fs, e);
	return r < 0 ? r : ns_fs_create(fsfd, fs->attrs, e);
}

/* The group "tty" has no id in most user namespaces. */
static int make_without_gid(const struct ns_fs *fs, struct err *e)
{
	autofree char *copy = strdup(fs->data), *data = NULL;
	struct ns_fs without = *fs;
	char *rest = copy, *word;
	size_t len = 0;

	data = calloc(1, strlen(fs->data) + 1);
	if (!copy || !data)
		return err_nomem(e);
	while ((word = next_word(&rest)) != NULL) {
		if (str_starts(word, "gid="))
			continue;
		if (len > 0)
			data[len++] = ',';
		(void)memcpy(data + len, word, strlen(word));
		len += strlen(word);
	}
	log_debug("devpts: its group is not mapped, went on without");
	without.data = data;
	return try_make(&without, e);
}

int ns_fs_make(const struct ns_fs *fs, struct err *e)
{
	int r = try_make(fs, e);

	if (r == -EINVAL && fs->in_userns && strcmp(fs->type, "devpts") == 0 &&
	    ns_fs_has_option(fs->data, "gid"))
		return make_without_gid(fs, e);
	return r;
}

static unsigned long old_flags(const struct ns_fs *fs)
{
	unsigned long ms = fs->sb_flags;

	for (size_t i = 0; i < ARRAY_SIZE(attr_flags); i++)
		if (fs->attrs & attr_flags[i].attr)
			ms |= attr_flags[i].ms;
	if ((fs->attrs & MOUNT_ATTR__ATIME) == MOUNT_ATTR_NOATIME)
		ms |= MS_NOATIME;
	if ((fs->attrs & MOUNT_ATTR__ATIME) == MOUNT_ATTR_STRICTATIME)
		ms |= MS_STRICTATIME;
	return ms;
}

int ns_fs_mount(const struct ns_fs *fs, int target, struct err *e)
{
	bool label = wants_label(fs);
	char path[PATH_FD_MAX];
	autofree char *data =
		str_printf("%s%s%s%s%s%s%s", fs->mode ? "mode=" : "",
			   fs->mode ? fs->mode : "", fs->mode ? "," : "",
			   label ? "context=\"" : "", label ? fs->label : "",
			   label ? "\"," : "", fs->data ? fs->data : "");

	if (!data)
		return err_nomem(e);
	if (mount(fs->source ? fs->source : fs->type, path_of_fd(target, path),
		  fs->type, old_flags(fs), data) < 0)
		return err_errno(e, "mount(2)");
	return 0;
}

int ns_fs_reconfigure(int fd, const struct ns_fs *fs, struct err *e)
{
	autoclose int fsfd = fspick(fd, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	int r;

	if (fsfd < 0)
		return err_errno(e, "reconfigure");
	if (needs_mount2(fs))
		return err_set(e, -EINVAL,
			       "a remount cannot change acl, silent, iversion");
	r = set_sb_flags(fsfd, fs, e);
	if (r >= 0)
		r = set_data(fsfd, fs, e);
	if (r >= 0 &&
	    fsconfig(fsfd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
		return fs_failed(fsfd, "reconfigure", e);
	return r;
}
