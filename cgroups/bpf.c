/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_PROGRAMS 64 /* BPF_CGROUP_MAX_PROGS */

static int call(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int load(const struct bpf_insn *insns, size_t n, const char *name)
{
	static const char license[] = "Apache-2.0";
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insn_cnt = (uint32_t)n,
		.insns = address(insns),
		.license = address(license),
	};

	(void)snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	return call(BPF_PROG_LOAD, &attr);
}

/* Before Linux 5.11 programs counted as locked memory, of which there is
 * little by default. The limit is put back: the container inherits ours. */
static int load_unlimited(const struct bpf_insn *insns, size_t n,
			  const char *name)
{
	struct rlimit old, all = { RLIM_INFINITY, RLIM_INFINITY };
	int r;

	if (prlimit(0, RLIMIT_MEMLOCK, &all, &old) < 0)
		return -EPERM;
	r = load(insns, n, name);
	if (setrlimit(RLIMIT_MEMLOCK, &old) < 0 && r >= 0) {
		(void)close(r);
		return -errno;
	}
	return r;
}

int cg_bpf_load(const struct bpf_insn *insns, size_t n, const char *name,
		struct err *e)
{
	int r = load(insns, n, name);

	if (r == -EPERM)
		r = load_unlimited(insns, n, name);
	return r < 0 ? err_set(e, r, "load the device program: %s",
			       strerrordesc_np(-r))
		     : r;
}

static int info_of(int prog, struct bpf_prog_info *ret)
{
	union bpf_attr attr = {
		.info.bpf_fd = (uint32_t)prog,
		.info.info_len = sizeof(*ret),
		.info.info = address(ret),
	};

	*ret = (struct bpf_prog_info){ 0 };
	return call(BPF_OBJ_GET_INFO_BY_FD, &attr);
}

static int by_id(uint32_t id)
{
	union bpf_attr attr = { .prog_id = id };

	return call(BPF_PROG_GET_FD_BY_ID, &attr);
}

static bool is_named(int prog, const char *name)
{
	struct bpf_prog_info info;

	return info_of(prog, &info) == 0 && strcmp(info.name, name) == 0;
}

/* The attached program of that name; *ret stays -1 when there is none. */
static int find(int group, const char *name, int *ret, struct err *e)
{
	uint32_t ids[MAX_PROGRAMS] = { 0 };
	union bpf_attr attr = {
		.query.target_fd = (uint32_t)group,
		.query.attach_type = BPF_CGROUP_DEVICE,
		.query.prog_ids = address(ids),
		.query.prog_cnt = MAX_PROGRAMS,
	};
	int r = call(BPF_PROG_QUERY, &attr);

	if (r < 0)
		return err_set(e, r, "list the device programs: %s",
			       strerrordesc_np(-r));
	for (uint32_t i = 0; i < attr.query.prog_cnt; i++) {
		autoclose int prog = by_id(ids[i]);

		if (prog >= 0 && is_named(prog, name)) {
			*ret = steal_fd(&prog);
			return 0;
		}
	}
	return 0;
}

static bool same_code(int a, int b)
{
	struct bpf_prog_info x, y;

	return info_of(a, &x) == 0 && info_of(b, &y) == 0 &&
	       memcmp(x.tag, y.tag, sizeof(x.tag)) == 0;
}

int cg_bpf_attach(int group, int prog, const char *name, struct err *e)
{
	union bpf_attr attr = {
		.target_fd = (uint32_t)group,
		.attach_bpf_fd = (uint32_t)prog,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	autoclose int old = -1;
	int r;

	r = name ? find(group, name, &old, e) : 0;
	if (r < 0)
		return r;
	if (old >= 0 && same_code(old, prog))
		return 0;
	if (old >= 0) {
		attr.attach_flags |= BPF_F_REPLACE;
		attr.replace_bpf_fd = (uint32_t)old;
	}
	r = call(BPF_PROG_ATTACH, &attr);
	return r < 0 ? err_set(e, r, "attach the device program: %s",
			       strerrordesc_np(-r))
		     : 0;
}
