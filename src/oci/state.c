/* SPDX-License-Identifier: Apache-2.0 */
#include "src/oci/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/json_out.h"
#include "base/path.h"
#include "base/str.h"
#include "src/oci/plan.h"

#define STATE_FILE "state.json"
#define ID_MAX	   1024
#define NAME_SHOWN 128

const char *const state_status_names[] = {
	[STATE_CREATING] = "creating", [STATE_CREATED] = "created",
	[STATE_RUNNING] = "running",   [STATE_PAUSED] = "paused",
	[STATE_STOPPED] = "stopped",   NULL,
};

/* clang-format off */

/* The words of the specification. */
#define OCI_FIELDS                                                             \
	JSON_STR(struct state, version, "ociVersion", .required = true),       \
	JSON_STR(struct state, id, "id", .required = true),                    \
	JSON_I32(struct state, pid, "pid", .always = true),                    \
	JSON_ENUM(struct state, status, "status", state_status_names,          \
		  .always = true),                                             \
	JSON_STR(struct state, bundle, "bundle", .required = true)

/* What runc and crun tell besides. */
#define MORE_FIELDS                                                            \
	JSON_STR(struct state, rootfs, "rootfs"),                              \
	JSON_STR(struct state, created, "created"),                            \
	JSON_MAP(struct state, annotations, "annotations"),                    \
	JSON_STR(struct state, owner, "owner", .always = true)

static const struct json_field oci_fields[] = {
	OCI_FIELDS,
	JSON_MAP(struct state, annotations, "annotations"),
};
const struct json_table state_oci_table =
	JSON_TABLE(struct state, oci_fields);

static const struct json_field shown_fields[] = {
	OCI_FIELDS,
	MORE_FIELDS,
};
const struct json_table state_shown_table =
	JSON_TABLE(struct state, shown_fields);

static const struct json_field state_fields[] = {
	OCI_FIELDS,
	MORE_FIELDS,
	JSON_U64(struct state, start_time, "startTime"),
	JSON_ENUM(struct state, isolation, "isolation", plan_isolation_names,
		  .always = true),
	JSON_OBJ(struct state, cgroup, "cgroup", struct cg_paths,
		 cg_paths_table),
	JSON_STRV(struct state, external_namespaces, "externalNamespaces"),
	JSON_I32(struct state, vm_pid, "vmPid"),
};
const struct json_table state_table = JSON_TABLE(struct state, state_fields);

/* clang-format on */

/* --- names -----------------------------------------------------------------*/

static bool good_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("_.+-", c));
}

int state_check_id(const char *id, struct err *e)
{
	size_t n = 0;

	if (!id || *id == '\0')
		return err_set(e, -EINVAL, "container id: empty");
	while (good_char(id[n]))
		n++;
	if (id[n] != '\0')
		return err_set(
			e, -EINVAL,
			"container id '%.*s': only letters, digits and _.+- may be in it",
			NAME_SHOWN, id);
	if (n > ID_MAX)
		return err_set(e, -EINVAL,
			       "container id '%.*s...': longer than %d",
			       NAME_SHOWN, id, ID_MAX);
	if (str_eq(id, ".") || str_eq(id, ".."))
		return err_set(e, -EINVAL,
			       "container id '%s': not the name of a folder",
			       id);
	return 0;
}

/* --- the folder ------------------------------------------------------------*/

static int open_folder(int dirfd, const char *name)
{
	return openat(dirfd, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int make_folder(int rootfd, const char *root, const char *id,
		       struct err *e)
{
	int fd;

	if (mkdirat(rootfd, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_set(e, -EEXIST,
				       "container '%.*s' exists already",
				       NAME_SHOWN, id);
		return err_errno(e, "make folder '%s/%.*s'", root, NAME_SHOWN,
				 id);
	}
	fd = open_folder(rootfd, id);
	if (fd >= 0)
		return fd;
	fd = err_errno(e, "open '%s/%.*s'", root, NAME_SHOWN, id);
	(void)unlinkat(rootfd, id, AT_REMOVEDIR);
	return fd;
}

int state_reserve(const char *root, const char *id, struct err *e)
{
	autoclose int rootfd = -1;
	int r;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0 && errno == ENOENT) {
		r = path_make_dirs(root, 0700, e);
		if (r < 0)
			return r;
		rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (rootfd < 0)
		return err_errno(e, "open '%s'", root);
	return make_folder(rootfd, root, id, e);
}

int state_open(const char *root, const char *id, struct err *e)
{
	autoclose int rootfd = -1;
	int r, fd;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0 && errno != ENOENT)
		return err_errno(e, "open '%s'", root);
	fd = rootfd < 0 ? -1 : open_folder(rootfd, id);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT)
		return err_set(e, -ENOENT, "container '%.*s' does not exist",
			       NAME_SHOWN, id);
	return err_errno(e, "open '%s/%.*s'", root, NAME_SHOWN, id);
}

int state_remove(const char *root, const char *id, struct err *e)
{
	autoclose int rootfd = -1;
	int r;

	r = state_check_id(id, e);
	if (r < 0)
		return r;
	rootfd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rootfd < 0)
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", root);
	r = path_remove_tree(rootfd, id, e);
	if (r < 0)
		return err_wrap(e, r, "remove '%s/%.*s'", root, NAME_SHOWN, id);
	return 0;
}

/* --- the file --------------------------------------------------------------*/

int state_write(int dirfd, const struct state *s, struct err *e)
{
	autofree char *text = NULL;
	size_t len;
	int r;

	r = json_write(&state_table, s, false, &text, &len, e);
	if (r == 0)
		r = fd_replace_at(dirfd, STATE_FILE, text, len, 0600, false, e);
	return r;
}

int state_read(int dirfd, struct state *ret, struct err *e)
{
	return json_read_file_at(dirfd, STATE_FILE, &state_table, ret, e);
}

void state_done(struct state *s)
{
	json_free(&state_table, s);
}

int state_for_hooks(const struct state *s, enum state_status status, char **ret,
		    struct err *e)
{
	struct state told = *s; /* owns nothing, is not released */

	told.status = (int)status;
	return json_write(&state_oci_table, &told, false, ret, NULL, e);
}

int state_for_hooks_inside(const char *text, pid_t pid,
			   enum state_status status, char **ret, struct err *e)
{
	_cleanup_(state_done) struct state told = { 0 };
	int r;

	r = json_read(text, strlen(text), &state_oci_table, &told, "state", e);
	if (r < 0)
		return r;
	told.pid = pid;
	return state_for_hooks(&told, status, ret, e);
}
