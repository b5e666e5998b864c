/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

/* clang-format off */
static const char config[] =
"{ \"ociVersion\": \"1.0.2\",\n"
"  \"process\": { \"user\": { \"uid\": 0, \"gid\": 0 }, \"args\": [ %s ], \"cwd\": \"/\",\n"
"    \"env\": [ \"PATH=/bin\", \"HOME=/\" ],\n"
"    \"capabilities\": {\n"
"      \"bounding\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ],\n"
"      \"effective\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ],\n"
"      \"permitted\": [ \"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\" ] },\n"
"    \"rlimits\": [ { \"type\": \"RLIMIT_NOFILE\", \"soft\": 1024, \"hard\": 1024 } ],\n"
"    \"noNewPrivileges\": true },\n"
"  \"root\": { \"path\": \"rootfs\", \"readonly\": true },\n"
"  \"hostname\": \"bench\",\n"
"  \"mounts\": [\n"
"    { \"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\" },\n"
"    { \"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\",\n"
"      \"options\": [ \"nosuid\", \"strictatime\", \"mode=755\", \"size=65536k\" ] },\n"
"    { \"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\",\n"
"      \"options\": [ \"nosuid\", \"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\" ] },\n"
"    { \"destination\": \"/dev/shm\", \"type\": \"tmpfs\", \"source\": \"shm\",\n"
"      \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"mode=1777\", \"size=65536k\" ] },\n"
"    { \"destination\": \"/dev/mqueue\", \"type\": \"mqueue\", \"source\": \"mqueue\",\n"
"      \"options\": [ \"nosuid\", \"noexec\", \"nodev\" ] },\n"
"    { \"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\",\n"
"      \"options\": [ \"nosuid\", \"noexec\", \"nodev\", \"ro\" ] } ],\n"
"  \"linux\": {\n"
"    \"resources\": { \"devices\": [ { \"allow\": false, \"access\": \"rwm\" } ] },\n"
"    \"namespaces\": [ { \"type\": \"pid\" }, { \"type\": \"ipc\" }, { \"type\": \"uts\" }, { \"type\": \"mount\" } ],\n"
"    \"maskedPaths\": [ \"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\", \"/proc/latency_stats\",\n"
"      \"/proc/timer_list\", \"/proc/timer_stats\", \"/proc/sched_debug\", \"/sys/firmware\", \"/proc/scsi\" ],\n"
"    \"readonlyPaths\": [ \"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\", \"/proc/sysrq-trigger\" ] } }\n";
/* clang-format on */

static int copy_file(int dir, const char *from, const char *to, struct err *e)
{
	autoclose int in = open(from, O_RDONLY | O_CLOEXEC);
	autoclose int out =
		openat(dir, to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	struct stat st;
	off_t done = 0;

	if (in < 0 || out < 0 || fstat(in, &st) < 0)
		return err_errno(e, "copy '%s'", from);
	while (done < st.st_size)
		if (sendfile(out, in, &done, (size_t)(st.st_size - done)) <= 0)
			return err_errno(e, "copy '%s'", from);
	return 0;
}

static int fill_rootfs(int dir, const char *busybox, struct err *e)
{
	static const char *const folders[] = {
		"rootfs",     "rootfs/bin", "rootfs/proc",
		"rootfs/dev", "rootfs/sys", "rootfs/mnt",
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (mkdirat(dir, folders[i], 0755) < 0)
			return err_errno(e, "make '%s'", folders[i]);
	if (symlinkat("busybox", dir, "rootfs/bin/true") < 0 ||
	    symlinkat("busybox", dir, "rootfs/bin/sleep") < 0)
		return err_errno(e, "make links to busybox");
	return copy_file(dir, busybox, "rootfs/bin/busybox", e);
}

int bench_bundle_make(struct bench_bundle *b, const char *busybox, bool sleeps,
		      struct err *e)
{
	autofree char *text = NULL;
	autoclose int dir = -1;
	int r;

	(void)snprintf(b->dir, sizeof(b->dir), "/tmp/moat-bench-XXXXXX");
	if (!mkdtemp(b->dir))
		return err_errno(e, "make '%s'", b->dir);
	(void)snprintf(b->rootfs, sizeof(b->rootfs), "%s/rootfs", b->dir);
	dir = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_errno(e, "open '%s'", b->dir);
	r = fill_rootfs(dir, busybox, e);
	if (r < 0)
		return r;
	text = str_printf(config, sleeps ? "\"/bin/sleep\", \"1000\""
					 : "\"/bin/true\"");
	if (!text)
		return err_nomem(e);
	return fd_replace_at(dir, "config.json", text, strlen(text), 0644,
			     false, e);
}

void bench_bundle_remove(const struct bench_bundle *b)
{
	struct err ignored = { 0 };

	if (b->dir[0])
		(void)!path_remove_tree(AT_FDCWD, b->dir, &ignored);
}
