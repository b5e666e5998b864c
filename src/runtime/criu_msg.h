/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * What is said to "criu swrk": messages of Protocol Buffers, of which we need
 * so little that they are written and read here. Field numbers are those of
 * criu's images/rpc.proto. Private to src/runtime.
 *
 * A message that cannot be built, for memory or length, is remembered and
 * refused when it is sent. What criu answers is read by its bounds.
 */
#include "base/err.h"

enum criu_type {
	CRIU_DUMP = 1,
	CRIU_RESTORE = 2,
	CRIU_PRE_DUMP = 4,
	CRIU_NOTIFY = 6,
};

/* Of criu_opts. */
enum criu_opt {
	CRIU_IMAGES_DIR_FD = 1,
	CRIU_PID = 2,
	CRIU_LEAVE_RUNNING = 3,
	CRIU_EXT_UNIX_SK = 4,
	CRIU_TCP_ESTABLISHED = 5,
	CRIU_SHELL_JOB = 7,
	CRIU_FILE_LOCKS = 8,
	CRIU_LOG_LEVEL = 9,
	CRIU_LOG_FILE = 10,
	CRIU_PAGE_SERVER = 11,
	CRIU_NOTIFY_SCRIPTS = 12,
	CRIU_ROOT = 13,
	CRIU_PARENT_IMG = 14,
	CRIU_TRACK_MEM = 15,
	CRIU_AUTO_DEDUP = 16,
	CRIU_WORK_DIR_FD = 17,
	CRIU_LINK_REMAP = 18,
	CRIU_EXT_MNT = 23,
	CRIU_MANAGE_CGROUPS = 24,
	CRIU_CG_ROOT = 25,
	CRIU_RST_SIBLING = 26,
	CRIU_INHERIT_FD = 27,
	CRIU_EXT_SHARING = 29,
	CRIU_EXT_MASTERS = 30,
	CRIU_CGROUPS_MODE = 34,
	CRIU_EXTERNAL = 37,
	CRIU_EMPTY_NS = 38,
	CRIU_JOIN_NS = 39,
	CRIU_FREEZE_CGROUP = 44,
	CRIU_TCP_SKIP_IN_FLIGHT = 46,
	CRIU_LAZY_PAGES = 48,
	CRIU_ORPHAN_PTS_MASTER = 50,
	CRIU_CONFIG_FILE = 51,
	CRIU_TCP_CLOSE = 52,
	CRIU_LSM_PROFILE = 53,
	CRIU_LSM_MOUNT_CONTEXT = 63,
	CRIU_NETWORK_LOCK = 64,
};

struct criu_msg {
	char *v;
	size_t n;
	bool failed;
};

void criu_put_num(struct criu_msg *m, unsigned int field, int64_t v);
/* true alone; false is what criu takes anyway. */
void criu_put_flag(struct criu_msg *m, unsigned int field, bool v);
/* Nothing for NULL. */
void criu_put_str(struct criu_msg *m, unsigned int field, const char *s);
void criu_put_msg(struct criu_msg *m, unsigned int field,
		  const struct criu_msg *inner);
/* A message of two strings, 1 and 2: most of criu's lists are such. */
void criu_put_pair(struct criu_msg *m, unsigned int field, const char *key,
		   const char *value);
/* The same of a string and a number. */
void criu_put_fd(struct criu_msg *m, unsigned int field, const char *key,
		 int fd);
void criu_msg_done(struct criu_msg *m);

#define CRIU_SCRIPT_MAX 64

/* What is of interest to us in an answer. */
struct criu_answer {
	int type;
	bool success;
	int restored_pid;
	int error; /* positive, as errno */
	char message[256];
	char script[CRIU_SCRIPT_MAX]; /* of a notification, and its pid */
	int script_pid;
};
MUST_CHECK int criu_read_answer(const char *buf, size_t len,
				struct criu_answer *ret, struct err *e);
