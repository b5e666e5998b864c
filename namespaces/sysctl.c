/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces/sysctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/str.h"

/* clang-format off */
/* What belongs to a namespace; a name that ends in a dot stands for all below. */
static const struct {
	const char *name;
	enum ns_kind kind;
} allowed[] = {
	{ "fs.mqueue.",             NS_IPC },
	{ "kernel.domainname",      NS_UTS },
	{ "kernel.msg_next_id",     NS_IPC },
	{ "kernel.msgmax",          NS_IPC },
	{ "kernel.msgmnb",          NS_IPC },
	{ "kernel.msgmni",          NS_IPC },
	{ "kernel.sem",             NS_IPC },
	{ "kernel.sem_next_id",     NS_IPC },
	{ "kernel.shm_next_id",     NS_IPC },
	{ "kernel.shm_rmid_forced", NS_IPC },
	{ "kernel.shmall",          NS_IPC },
	{ "kernel.shmmax",          NS_IPC },
	{ "kernel.shmmni",          NS_IPC },
	{ "net.",                   NS_NET },
	{ "user.",                  NS_USER },
};
/* clang-format on */

/*
 * As sysctl(8): whichever of '.' and '/' comes first separates, the other is a
 * character of the name ("net/ipv4/conf/eth0.100/forwarding" is
 * "net.ipv4.conf.eth0/100.forwarding"). path gets the file below /proc/sys,
 * name the dotted form.
 */
static int spell(const char *key, char path[NAME_MAX], char name[NAME_MAX])
{
	size_t n = strlen(key), first = strcspn(key, "./");
	bool dotted = key[first] == '.';

	if (n == 0 || n >= NAME_MAX)
		return -EINVAL;
	for (size_t i = 0; i <= n; i++) {
		char swapped = key[i] == '.'   ? '/'
			       : key[i] == '/' ? '.'
					       : key[i];

		path[i] = dotted ? swapped : key[i];
		name[i] = dotted ? key[i] : swapped;
	}
	return 0;
}

/* A path of plain names: nothing empty, no "." or "..". */
static bool is_clean(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 0 || strncmp(path, ".", n) == 0 ||
		    strncmp(path, "..", n) == 0)
			return false;
		path += n;
		if (*path == '/' && !*++path)
			return false;
	}
	return true;
}

static int find(const char *name, enum ns_kind *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (str_ends(allowed[i].name, ".")
			    ? !str_starts(name, allowed[i].name)
			    : !str_eq(name, allowed[i].name))
			continue;
		*ret = allowed[i].kind;
		return 0;
	}
	return -ENOENT;
}

int ns_sysctl_check(const char *key, unsigned int own, struct err *e)
{
	char path[NAME_MAX], name[NAME_MAX];
	enum ns_kind kind = NS_NET;

	if (spell(key, path, name) < 0 || !is_clean(path))
		return err_set(e, -EINVAL, "sysctl '%s' is not a name", key);
	if (str_eq(name, "kernel.hostname"))
		return err_set(
			e, -EINVAL,
			"sysctl '%s': the container has 'hostname' for it",
			key);
	if (find(name, &kind) < 0)
		return err_set(
			e, -EINVAL,
			"sysctl '%s' belongs to no namespace: it would change the host",
			key);
	if (!(own & 1U << kind))
		return err_set(
			e, -EINVAL,
			"sysctl '%s' needs the container's own %s namespace",
			key, ns_info[kind].name);
	return 0;
}

int ns_sysctl_write(int procfd, const char *key, const char *value,
		    struct err *e)
{
	char path[NAME_MAX], name[NAME_MAX], file[NAME_MAX + 8];
	int r;

	if (spell(key, path, name) < 0 || !is_clean(path))
		return err_set(e, -EINVAL, "sysctl '%s' is not a name", key);
	/* The file belongs to root of the host, also in a user namespace. */
	if (str_eq(name, "kernel.domainname"))
		return setdomainname(value, strlen(value)) < 0
			       ? err_errno(e, "sysctl '%s'", key)
			       : 0;
	(void)snprintf(file, sizeof(file), "sys/%s", path);
	r = proc_write_file(procfd, file, value, e);
	if (r == -ENOENT)
		return err_set(e, r, "this kernel has no sysctl '%s'", key);
	return r < 0 ? err_wrap(e, r, "sysctl '%s'", key) : 0;
}
