/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/vm_config.h"

#include <errno.h>
#include <string.h>

#define MIN_MEMORY  (16ULL << 20)
#define MAX_MEMORY  (1ULL << 40)
#define MAX_DISK_ID 20
#define MAX_TAG	    35 /* 36 bytes with a NUL, as Linux reads it */

static const char *const huge_names[] = {
	[VM_HUGE_NEVER] = "never",
	[VM_HUGE_ADVISE] = "advise",
	[VM_HUGE_RESERVE] = "reserve",
	NULL,
};

static const struct json_field memory_fields[] = {
	JSON_U64(struct vm_memory, bytes, "bytes", .required = true),
	JSON_ENUM(struct vm_memory, huge, "huge", huge_names, .always = true),
	JSON_BOOL(struct vm_memory, ksm, "ksm"),
	JSON_BOOL(struct vm_memory, populate, "populate"),
};
static const struct vm_memory memory_defaults = { .huge = VM_HUGE_ADVISE };
static const struct json_table memory_table =
	JSON_TABLE(struct vm_memory, memory_fields,
		   .defaults = &memory_defaults, .strict = true);

static const struct json_field rate_fields[] = {
	JSON_U64(struct vm_rate, bytes, "bytes"),
	JSON_U64(struct vm_rate, ops, "ops"),
};
static const struct json_table rate_table =
	JSON_TABLE(struct vm_rate, rate_fields, .strict = true);

/* Descriptors are always written: 0 is one. */
static const struct json_field disk_fields[] = {
	JSON_I32(struct vm_disk, fd, "fd", .required = true, .always = true),
	JSON_BOOL(struct vm_disk, readonly, "readonly"),
	JSON_STR(struct vm_disk, id, "id"),
	JSON_OBJ(struct vm_disk, rate, "rate", struct vm_rate, rate_table),
};
static const struct vm_disk disk_defaults = { .fd = -1 };
static const struct json_table disk_table =
	JSON_TABLE(struct vm_disk, disk_fields, .defaults = &disk_defaults,
		   .strict = true);

static const struct json_field nic_fields[] = {
	JSON_I32(struct vm_nic, fd, "fd", .required = true, .always = true),
	JSON_STR(struct vm_nic, mac, "mac"),
	JSON_U32(struct vm_nic, mtu, "mtu"),
};
static const struct vm_nic nic_defaults = { .fd = -1 };
static const struct json_table nic_table = JSON_TABLE(
	struct vm_nic, nic_fields, .defaults = &nic_defaults, .strict = true);

static const struct json_field share_fields[] = {
	JSON_STR(struct vm_share, tag, "tag", .required = true),
	JSON_I32(struct vm_share, dir_fd, "dirFd", .required = true,
		 .always = true),
	JSON_BOOL(struct vm_share, readonly, "readonly"),
};
static const struct vm_share share_defaults = { .dir_fd = -1 };
static const struct json_table share_table =
	JSON_TABLE(struct vm_share, share_fields, .defaults = &share_defaults,
		   .strict = true);

static const struct json_field port_fields[] = {
	JSON_STR(struct vm_port, name, "name", .required = true),
	JSON_I32(struct vm_port, fd, "fd", .required = true, .always = true),
	JSON_I32(struct vm_port, out_fd, "outFd", .always = true),
};
static const struct vm_port port_defaults = { .fd = -1, .out_fd = -1 };
static const struct json_table port_table =
	JSON_TABLE(struct vm_port, port_fields, .defaults = &port_defaults,
		   .strict = true);

static const struct json_field vsock_port_fields[] = {
	JSON_U32(struct vm_vsock_port, port, "port", .required = true,
		 .always = true),
	JSON_I32(struct vm_vsock_port, fd, "fd", .required = true,
		 .always = true),
};
static const struct json_table vsock_port_table =
	JSON_TABLE(struct vm_vsock_port, vsock_port_fields, .strict = true);

static const struct json_field vsock_fields[] = {
	JSON_U32(struct vm_vsock, cid, "cid", .required = true),
	JSON_I32(struct vm_vsock, listen_fd, "listenFd", .always = true),
	JSON_I32(struct vm_vsock, dir_fd, "dirFd", .always = true),
	JSON_VEC(struct vm_vsock, ports, "ports", struct vm_vsock_port,
		 vsock_port_table, .max = 64),
};
static const struct vm_vsock vsock_defaults = {
	.cid = 3,
	.listen_fd = -1,
	.dir_fd = -1,
};
static const struct json_table vsock_table =
	JSON_TABLE(struct vm_vsock, vsock_fields, .defaults = &vsock_defaults,
		   .strict = true);

static const struct json_field config_fields[] = {
	JSON_U32(struct vm_config, vcpus, "vcpus", .required = true),
	JSON_U32V(struct vm_config, cpus, "cpus"),
	JSON_OBJ(struct vm_config, memory, "memory", struct vm_memory,
		 memory_table, .required = true),
	JSON_I32(struct vm_config, kvm_fd, "kvmFd", .always = true),
	JSON_I32(struct vm_config, kernel_fd, "kernelFd", .required = true,
		 .always = true),
	JSON_U32V(struct vm_config, initrd_fds, "initrdFds", .max = 16),
	JSON_STR(struct vm_config, cmdline, "cmdline"),
	JSON_I32(struct vm_config, serial_fd, "serialFd", .always = true),
	JSON_I32(struct vm_config, serial_in_fd, "serialInFd", .always = true),
	JSON_PTR(struct vm_config, vsock, "vsock", struct vm_vsock,
		 vsock_table),
	JSON_VEC(struct vm_config, ports, "ports", struct vm_port, port_table,
		 .max = 7),
	JSON_VEC(struct vm_config, disks, "disks", struct vm_disk, disk_table,
		 .max = VM_MAX_DEVICES),
	JSON_VEC(struct vm_config, nics, "nics", struct vm_nic, nic_table,
		 .max = VM_MAX_DEVICES),
	JSON_VEC(struct vm_config, shares, "shares", struct vm_share,
		 share_table, .max = VM_MAX_DEVICES),
	JSON_BOOL(struct vm_config, rng, "rng"),
	JSON_BOOL(struct vm_config, balloon, "balloon"),
	JSON_I32(struct vm_config, control_fd, "controlFd", .always = true),
	JSON_I32(struct vm_config, report_fd, "reportFd", .always = true),
	JSON_BOOL(struct vm_config, jail, "jail"),
};
static const struct vm_config config_defaults = VM_CONFIG_INIT;
const struct json_table vm_config_table =
	JSON_TABLE(struct vm_config, config_fields,
		   .defaults = &config_defaults, .strict = true);

static const char *const how_names[] = {
	[VM_END_NONE] = "none",	      [VM_END_POWEROFF] = "poweroff",
	[VM_END_RESET] = "reset",     [VM_END_CRASH] = "crash",
	[VM_END_STOPPED] = "stopped", [VM_END_FAILED] = "failed",
	[VM_END_N_] = NULL,
};

static const struct json_field end_fields[] = {
	JSON_ENUM(struct vm_end, how, "how", how_names, .always = true),
	JSON_STR(struct vm_end, text, "text"),
	JSON_STR(struct vm_end, console, "console"),
};
const struct json_table vm_end_table = JSON_TABLE(struct vm_end, end_fields);

void vm_end_done(struct vm_end *end)
{
	json_free(&vm_end_table, end);
}

static size_t count_devices(const struct vm_config *c)
{
	return c->disks.n + c->nics.n + c->shares.n + (c->ports.n > 0) +
	       (c->vsock != NULL) + c->rng + c->balloon;
}

static int check_memory(const struct vm_memory *m, struct err *e)
{
	uint64_t unit = m->huge == VM_HUGE_RESERVE ? 2ULL << 20 : 4096;

	if (m->bytes < MIN_MEMORY || m->bytes > MAX_MEMORY)
		return err_set(
			e, -EINVAL,
			"memory of %llu bytes: not between 16 MiB and 1 TiB",
			(unsigned long long)m->bytes);
	if (m->bytes % unit)
		return err_set(e, -EINVAL,
			       "memory of %llu bytes: not a multiple of %llu",
			       (unsigned long long)m->bytes,
			       (unsigned long long)unit);
	return 0;
}

/* Among the first n ports. */
static bool has_port(const struct vm_vsock *v, size_t n, uint32_t port)
{
	for (size_t i = 0; i < n; i++)
		if (v->ports.v[i].port == port)
			return true;
	return false;
}

static int check_vsock(const struct vm_vsock *v, struct err *e)
{
	/* 0 and 1 are reserved, 2 is the host; a driver keeps 32 bits. */
	if (v->cid < 3 || v->cid == UINT32_MAX)
		return err_set(e, -EINVAL, "vsock: cid %u is not a guest's",
			       v->cid);
	for (size_t i = 0; i < v->ports.n; i++)
		if (has_port(v, i, v->ports.v[i].port))
			return err_set(e, -EINVAL, "vsock: port %u given twice",
				       v->ports.v[i].port);
	return 0;
}

int vm_config_check(const struct vm_config *c, struct err *e)
{
	int r;

	if (c->vcpus < 1 || c->vcpus > VM_MAX_VCPUS)
		return err_set(e, -EINVAL, "%u vCPUs: not between 1 and %d",
			       c->vcpus, VM_MAX_VCPUS);
	r = check_memory(&c->memory, e);
	if (r < 0)
		return r;
	if (c->kernel_fd < 0)
		return err_set(e, -EINVAL, "no kernel");
	if (count_devices(c) > VM_MAX_DEVICES)
		return err_set(e, -EINVAL, "%zu devices: more than %d",
			       count_devices(c), VM_MAX_DEVICES);
	for (size_t i = 0; i < c->disks.n; i++)
		if (c->disks.v[i].id && strlen(c->disks.v[i].id) > MAX_DISK_ID)
			return err_set(e, -EINVAL,
				       "disk id '%s' longer than %d",
				       c->disks.v[i].id, MAX_DISK_ID);
	for (size_t i = 0; i < c->shares.n; i++)
		if (!c->shares.v[i].tag[0] ||
		    strlen(c->shares.v[i].tag) > MAX_TAG)
			return err_set(e, -EINVAL,
				       "share tag '%s': not 1 to %d bytes",
				       c->shares.v[i].tag, MAX_TAG);
	return c->vsock ? check_vsock(c->vsock, e) : 0;
}

struct fd_list {
	int *fd;
	size_t n, max;
	bool full;
};

static void note_fd(struct fd_list *l, int fd)
{
	if (fd < 0)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (l->fd[i] == fd)
			return;
	if (l->n == l->max)
		l->full = true;
	else
		l->fd[l->n++] = fd;
}

static void note_vsock(struct fd_list *l, const struct vm_vsock *v)
{
	note_fd(l, v->listen_fd);
	note_fd(l, v->dir_fd);
	for (size_t i = 0; i < v->ports.n; i++)
		note_fd(l, v->ports.v[i].fd);
}

static void note_devices(struct fd_list *l, const struct vm_config *c)
{
	for (size_t i = 0; i < c->ports.n; i++) {
		note_fd(l, c->ports.v[i].fd);
		note_fd(l, c->ports.v[i].out_fd);
	}
	for (size_t i = 0; i < c->disks.n; i++)
		note_fd(l, c->disks.v[i].fd);
	for (size_t i = 0; i < c->nics.n; i++)
		note_fd(l, c->nics.v[i].fd);
	for (size_t i = 0; i < c->shares.n; i++)
		note_fd(l, c->shares.v[i].dir_fd);
	if (c->vsock)
		note_vsock(l, c->vsock);
}

int vm_config_fds(const struct vm_config *c, int *ret, size_t max)
{
	const int plain[] = { c->kvm_fd,       c->kernel_fd,  c->serial_fd,
			      c->serial_in_fd, c->control_fd, c->report_fd };
	struct fd_list l = { .fd = ret, .max = max };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		note_fd(&l, plain[i]);
	for (size_t i = 0; i < c->initrd_fds.n; i++)
		note_fd(&l, (int)c->initrd_fds.v[i]);
	note_devices(&l, c);
	return l.full ? -E2BIG : (int)l.n;
}
