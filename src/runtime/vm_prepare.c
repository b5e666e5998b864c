/* SPDX-License-Identifier: Apache-2.0 */
#include "src/runtime/vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/path.h"
#include "base/str.h"
#include "microvm/initramfs.h"
#include "microvm/kernel.h"
#include "src/oci/plan_split.h"

#define CACHE	    "/var/lib/moat/kernels"
#define CACHE_BELOW "moat/kernels" /* XDG_DATA_HOME */

static const struct vm_backend *const backends[] = {
	&vm_backend_kvm,
	&vm_backend_qemu,
};

/* --- which monitor ----------------------------------------------------------
 */

static int find_backend(const char *name, const struct vm_backend **ret,
			struct err *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		if (!str_eq(backends[i]->name, name))
			continue;
		*ret = backends[i];
		return backends[i]->usable(e);
	}
	return err_set(e, -EINVAL, "there is no monitor '%s'", name);
}

/* "kvm: no permission; qemu: ..." */
static int add_reason(char **all, const char *name, const struct err *why)
{
	char *more = str_printf("%s%s%s: %s", *all ? *all : "",
				*all ? "; " : "", name, err_text(why));

	free(*all);
	*all = more;
	return more ? 0 : -ENOMEM;
}

static int chosen(const struct vm_backend *b, const char *reasons,
		  const struct vm_backend **ret)
{
	if (reasons)
		log_warning("the micro-VM runs on %s: %s", b->name, reasons);
	*ret = b;
	return 0;
}

/*
 * The first that works. What the better one lacks is said in one line, for the
 * next one may be ten times slower; when none works, each says what it lacks.
 */
static int choose_backend(const struct vm_backend **ret, struct err *e)
{
	autofree char *reasons = NULL;
	struct err why = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(backends); i++) {
		const struct vm_backend *b = backends[i];

		if (b->usable(&why) == 0)
			return chosen(b, reasons, ret);
		if (add_reason(&reasons, b->name, &why) < 0)
			return err_nomem(e);
	}
	return err_set(e, -ENODEV, "no monitor works: %s", reasons);
}

/* --- what boots -------------------------------------------------------------
 */

static char *cache_place(void)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		return strdup(CACHE);
	if (data && data[0] == '/')
		return str_printf("%s/" CACHE_BELOW, data);
	return str_printf("%s/.local/share/" CACHE_BELOW, home ? home : "");
}

static int open_agent(struct err *e)
{
	autofree char *path = rt_program_path("moat-guest");
	int fd;

	if (!path)
		return err_nomem(e);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open the guest's agent '%s'", path) : fd;
}

static int prepare_initramfs(struct rt_vm *vm, const struct vm_places *places,
			     const struct vm_kernel *k, struct err *e)
{
	autoclose int agent = open_agent(e);
	struct vm_initramfs c = {
		.places = places,
		.kernel = k,
		.agent = agent,
		.bus = { vm->backend->bus[0], vm->backend->bus[1] },
		.needs = vm->backend->agent | VM_NEED_FS | VM_NEED_RNG |
			 VM_NEED_BALLOON |
			 (vm->host.disks.n > 0 ? VM_NEED_BLK : 0) |
			 (vm->host.vm.network ? VM_NEED_NET : 0),
	};

	if (agent < 0)
		return agent;
	vm->initramfs = vm_initramfs_open(&c, &vm->needs, e);
	return vm->initramfs < 0 ? vm->initramfs : 0;
}

static int prepare_kernel(struct rt_vm *vm, struct err *e)
{
	_cleanup_(vm_kernel_done) struct vm_kernel k = VM_KERNEL_INIT;
	autofree char *cache = cache_place();
	struct vm_places places = { .cache = cache };
	int r;

	if (!cache)
		return err_nomem(e);
	r = vm_kernel_find(&places, vm->host.vm.kernel, &k, e);
	if (r == 0)
		r = vm_kernel_unpack(&places, &k, e);
	if (r == 0)
		r = prepare_initramfs(vm, &places, &k, e);
	if (r < 0)
		return r;
	vm->kernel = steal_fd(&k.vmlinux);
	vm->kernel_path = steal_ptr(k.path);
	vm->has_modules = k.modules;
	return 0;
}

/* --- how others reach it --------------------------------------------------*/

/* By the folder's descriptor: its path may be longer than such a name. */
static int listen_in(int dir, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	autoclose int fd = -1;

	(void)snprintf(a.sun_path, sizeof(a.sun_path),
		       "/proc/self/fd/%d/" RT_VM_SOCKET, dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    fchmodat(dir, RT_VM_SOCKET, 0600, 0) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return err_errno(e, "listen on '%s'", RT_VM_SOCKET);
	return steal_fd(&fd);
}

/* --- all of it ------------------------------------------------------------*/

static int fill(struct rt_vm *vm, const struct plan *p, int dir,
		const char *place, struct err *e)
{
	const char *wanted = p->vm.backend;
	int r;

	if (p->vm.initrd)
		return err_set(
			e, -EOPNOTSUPP,
			"vm: kernel: initrd: the guest starts from moat's own");
	vm->place = strdup(place);
	if (!vm->place)
		return err_nomem(e);
	r = plan_split(p, vm->rootless, &vm->host, &vm->guest, e);
	if (r < 0)
		return r;
	if (wanted && !str_eq(wanted, "auto"))
		r = find_backend(wanted, &vm->backend, e);
	else
		r = choose_backend(&vm->backend, e);
	if (r == 0)
		r = rt_vm_open_disks(vm, e);
	if (r == 0)
		r = prepare_kernel(vm, e);
	if (r < 0)
		return r;
	vm->listener = listen_in(dir, e);
	return vm->listener < 0 ? vm->listener : 0;
}

int rt_vm_new(const struct plan *p, bool rootless, int dir, const char *place,
	      struct rt_vm **ret, struct err *e)
{
	_cleanup_(auto_rt_vm_free) struct rt_vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		return err_nomem(e);
	vm->kernel = vm->initramfs = vm->listener = -1;
	for (size_t i = 0; i < ARRAY_SIZE(vm->disks); i++)
		vm->disks[i] = -1;
	vm->rootless = rootless;
	r = fill(vm, p, dir, place, e);
	if (r < 0)
		return err_wrap(e, r, "micro-VM");
	*ret = steal_ptr(vm);
	return 0;
}

void rt_vm_free(struct rt_vm *vm)
{
	if (!vm)
		return;
	if (vm->kernel >= 0)
		(void)close(vm->kernel);
	if (vm->initramfs >= 0)
		(void)close(vm->initramfs);
	if (vm->listener >= 0)
		(void)close(vm->listener);
	rt_vm_close_disks(vm);
	net_config_done(&vm->net);
	free(vm->kernel_path);
	free(vm->place);
	plan_done(&vm->host);
	plan_done(&vm->guest);
	free(vm);
}
