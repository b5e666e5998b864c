/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"
#include "microvm/backend.h"
#include "microvm/modules.h"
#include "tests/unit/tap.h"

/* As depmod writes them: dependencies in an order that does not load. */
static const char dep[] =
	"kernel/fs/fuse/fuse.ko:\n"
	"kernel/fs/fuse/virtiofs.ko: kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko kernel/fs/fuse/fuse.ko\n"
	"kernel/drivers/virtio/virtio.ko: kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/virtio/virtio_ring.ko:\n"
	"kernel/drivers/virtio/virtio_mmio.ko.xz: kernel/drivers/virtio/virtio.ko "
	"kernel/drivers/virtio/virtio_ring.ko\n"
	"kernel/drivers/char/hw_random/virtio-rng.ko: "
	"kernel/drivers/virtio/virtio.ko\n";
static const char builtin[] = "kernel/fs/overlayfs/overlay.ko\n"
			      "kernel/drivers/char/virtio_console.ko\n";

/* The list as one text, so that a test compares one thing. */
static char *resolve(const char *d, const char *b, unsigned int needs, int *ret,
		     struct err *e)
{
	_cleanup_(auto_vm_modules_free) struct vm_modules *m = NULL;
	autostrv char **list = NULL;
	char *text = strdup("");

	*ret = vm_modules_parse(d, b, &m, e);
	if (*ret == 0)
		*ret = vm_modules_resolve(m, needs, &list, e);
	STRV_FOREACH(s, list) {
		char *more = str_printf("%s%s ", text, *s);

		free(text);
		text = more;
	}
	return text;
}

TEST(dependencies_come_first_and_once)
{
	autofree char *list = NULL;
	struct err e = { 0 };
	int r;

	list = resolve(dep, builtin, VM_NEED_MMIO | VM_NEED_FS, &r, &e);
	REQUIRE_OK(r, &e);
	CHECK_STR(list, "kernel/drivers/virtio/virtio_ring.ko "
			"kernel/drivers/virtio/virtio.ko "
			"kernel/drivers/virtio/virtio_mmio.ko.xz "
			"kernel/fs/fuse/fuse.ko kernel/fs/fuse/virtiofs.ko ");
}

TEST(what_is_built_in_needs_no_file)
{
	autofree char *list = NULL;
	struct err e = { 0 };
	int r;

	list = resolve(dep, builtin, VM_NEED_OVERLAY | VM_NEED_CONSOLE, &r, &e);
	REQUIRE_OK(r, &e);
	CHECK_STR(list, "");
}

TEST(a_dash_is_an_underscore)
{
	autofree char *list = NULL;
	struct err e = { 0 };
	int r;

	list = resolve(dep, "", VM_NEED_RNG, &r, &e);
	REQUIRE_OK(r, &e);
	CHECK_HAS(list, "virtio-rng.ko");
}

TEST(what_is_missing_is_named)
{
	autofree char *list = NULL;
	struct err e = { 0 };
	int r;

	list = resolve(dep, builtin, VM_NEED_VSOCK, &r, &e);
	CHECK_INT(r, -ENOENT);
	CHECK_HAS(e.text, "'vmw_vsock_virtio_transport'");
}

TEST(what_is_optional_may_be_missing)
{
	autofree char *list = NULL;
	struct err e = { 0 };
	int r;

	list = resolve(dep, builtin, VM_NEED_BALLOON, &r, &e);
	CHECK_OK(r, &e);
	CHECK_STR(list, "");
}

TEST(without_a_folder_all_is_built_in)
{
	_cleanup_(auto_vm_modules_free) struct vm_modules *m = NULL;
	autostrv char **list = NULL;
	struct err e = { 0 };

	REQUIRE_OK(vm_modules_read(NULL, &m, &e), &e);
	CHECK(vm_modules_can(m, VM_NEED_PCI | VM_NEED_VSOCK));
	REQUIRE_OK(vm_modules_resolve(m, VM_NEED_PCI, &list, &e), &e);
	CHECK_INT(strv_len(list), 0);
}

TEST(a_kernel_is_asked_what_it_can)
{
	_cleanup_(auto_vm_modules_free) struct vm_modules *m = NULL;
	struct err e = { 0 };

	REQUIRE_OK(vm_modules_parse(dep, builtin, &m, &e), &e);
	CHECK(vm_modules_can(m, VM_NEED_MMIO | VM_NEED_CONSOLE));
	CHECK(!vm_modules_can(m, VM_NEED_PCI));
	CHECK(!vm_modules_can(m, VM_NEED_MMIO | VM_NEED_PCI));
}

static const struct {
	const char *name;
	const char *dep;
	int want;
} hostile[] = {
	{ "no colon", "kernel/fs/fuse/virtiofs.ko\n", -EBADMSG },
	{ "an absolute path", "/etc/virtiofs.ko:\n", -EBADMSG },
	{ "a way out", "kernel/../../../virtiofs.ko:\n", -EBADMSG },
	{ "no path", ": a b\n", -EBADMSG },
	{ "no name", "kernel/.ko:\n", -EBADMSG },
	{ "a folder", "kernel/:\n", -EBADMSG },
	{ "a long name",
	  "kernel/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.ko:\n",
	  -EBADMSG },
	{ "a loop", "a/virtiofs.ko: a/b.ko\na/b.ko: a/virtiofs.ko\n", -ELOOP },
	{ "a loop of one", "a/virtiofs.ko: a/virtiofs.ko\n", -ELOOP },
	{ "a dependency that is not there", "a/virtiofs.ko: a/gone.ko\n",
	  -ENOENT },
	{ "a dependency without a name", "a/virtiofs.ko: a/\n", -ENOENT },
};

TEST(hostile_lists_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(hostile); i++) {
		autofree char *list = NULL;
		struct err e = { 0 };
		int r;

		list = resolve(hostile[i].dep, "", VM_NEED_FS, &r, &e);
		if (!CHECK_INT(r, hostile[i].want))
			tap_note("with %s", hostile[i].name);
	}
}

TEST(a_chain_without_end_is_refused)
{
	autofree char *text = strdup("a/virtiofs.ko: a/m0.ko\n"), *list = NULL;
	struct err e = { 0 };
	int r;

	for (int i = 0; i < 200; i++) {
		char *more =
			str_printf("%sa/m%d.ko: a/m%d.ko\n", text, i, i + 1);

		free(text);
		text = more;
	}
	list = resolve(text, "", VM_NEED_FS, &r, &e);
	CHECK_INT(r, -ELOOP);
}

static const struct tap_test tests[] = {
	TAP(dependencies_come_first_and_once),
	TAP(what_is_built_in_needs_no_file),
	TAP(a_dash_is_an_underscore),
	TAP(what_is_missing_is_named),
	TAP(what_is_optional_may_be_missing),
	TAP(without_a_folder_all_is_built_in),
	TAP(a_kernel_is_asked_what_it_can),
	TAP(hostile_lists_are_refused),
	TAP(a_chain_without_end_is_refused),
};

int main(void)
{
	return tap_run(tests, ARRAY_SIZE(tests));
}
