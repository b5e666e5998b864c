/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/qemu_priv.h"

#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

/*
 * A list that remembers its failure, so that building the command line reads
 * as the command line.
 */
struct args {
	char **v;
	bool failed;
};

static void add(struct args *a, const char *word)
{
	if (strv_add(&a->v, word) < 0)
		a->failed = true;
}

#define ADDF(a, ...)                                                           \
	do {                                                                   \
		if (strv_addf(&(a)->v, __VA_ARGS__) < 0)                       \
			(a)->failed = true;                                    \
	} while (0)

/* The suffix of a virtio device's name. */
static const char *suffix(const struct vm_qemu *q)
{
	return q->pci ? "pci" : "device";
}

static void add_machine(struct args *a, const struct vm_qemu *q)
{
	const struct vm_config *c = q->c;

	add(a, "-machine");
	/* The PIT and the RTC cost milliseconds under KVM, which brings its
	 * own clock; an emulated guest would wait for them in vain. */
	if (q->pci)
		add(a, "q35,usb=off,smbus=off,sata=off,memory-backend=ram");
	else
		ADDF(a,
		     "microvm,acpi=on,isa-serial=on,usb=off,pit=%s,pic=%s,rtc=on,memory-backend=ram",
		     q->kvm ? "off" : "on", q->kvm ? "off" : "on");
	add(a, "-accel");
	add(a, q->kvm ? "kvm" : "tcg,thread=multi,tb-size=64");
	add(a, "-cpu");
	add(a, q->kvm ? "host" : "max");
	add(a, "-smp");
	ADDF(a, "%u", c->vcpus);
	add(a, "-m");
	ADDF(a, "%lluk", (unsigned long long)(c->memory.bytes >> 10));
	/* A virtiofsd reads and writes the guest's memory itself. */
	add(a, "-object");
	ADDF(a, "memory-backend-memfd,id=ram,size=%llu,share=%s,merge=%s%s",
	     (unsigned long long)c->memory.bytes, c->shares.n ? "on" : "off",
	     c->memory.ksm ? "on" : "off",
	     c->memory.huge == VM_HUGE_RESERVE ? ",hugetlb=on,hugetlbsize=2M"
					       : "");
	if (c->memory.populate) {
		add(a, "-overcommit");
		add(a, "mem-lock=on");
	}
	/* Modern virtio alone; the mmio transport begins as a legacy one. */
	if (!q->pci) {
		add(a, "-global");
		add(a, "virtio-mmio.force-legacy=false");
	}
}

static void add_kernel(struct args *a, const struct vm_qemu *q)
{
	const struct vm_config *c = q->c;

	add(a, "-kernel");
	ADDF(a, "/proc/self/fd/%d", c->kernel_fd);
	if (c->initrd_fds.n) {
		add(a, "-initrd");
		ADDF(a, "/proc/self/fd/%u", c->initrd_fds.v[0]);
	}
	add(a, "-append");
	/*
	 * Emulated, on a busy host, the guest would measure its time stamp
	 * counter against a timer that comes late, and give up: it is told.
	 */
	if (!q->kvm && q->tsc_khz)
		ADDF(a, "console=ttyS0%s no_timer_check tsc_early_khz=%llu%s%s",
		     q->pci ? "" : " pci=off", (unsigned long long)q->tsc_khz,
		     c->cmdline ? " " : "", c->cmdline ? c->cmdline : "");
	else
		ADDF(a, "console=ttyS0%s%s%s", q->pci ? "" : " pci=off",
		     c->cmdline ? " " : "", c->cmdline ? c->cmdline : "");
}

static void add_serial(struct args *a, const struct vm_qemu *q)
{
	add(a, "-serial");
	if (q->c->serial_fd < 0) {
		add(a, "null");
		return;
	}
	add(a, "chardev:serial");
	add(a, "-chardev");
	ADDF(a, "socket,id=serial,fd=%d", q->c->serial_fd);
}

static void add_ports(struct args *a, const struct vm_qemu *q)
{
	const struct vm_config *c = q->c;

	if (c->ports.n == 0)
		return;
	add(a, "-device");
	ADDF(a, "virtio-serial-%s", suffix(q));
	for (size_t i = 0; i < c->ports.n; i++) {
		add(a, "-chardev");
		ADDF(a, "socket,id=port%zu,fd=%d", i, c->ports.v[i].fd);
		add(a, "-device");
		ADDF(a, "virtserialport,chardev=port%zu,name=%s", i,
		     c->ports.v[i].name);
	}
}

static void add_shares(struct args *a, const struct vm_qemu *q)
{
	for (size_t i = 0; i < q->c->shares.n; i++) {
		add(a, "-chardev");
		ADDF(a, "socket,id=fs%zu,fd=%d", i, q->fs[i]);
		add(a, "-device");
		ADDF(a, "vhost-user-fs-%s,chardev=fs%zu,tag=%s,queue-size=1024",
		     suffix(q), i, q->c->shares.v[i].tag);
	}
}

/* QEMU looks at the name, which here is none of a device. */
static const char *driver_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) ? "host_device"
							  : "file";
}

static void add_disks(struct args *a, const struct vm_qemu *q)
{
	for (size_t i = 0; i < q->c->disks.n; i++) {
		const struct vm_disk *d = &q->c->disks.v[i];

		/* Left to itself it would open the file for reading first. */
		add(a, "-add-fd");
		ADDF(a, "fd=%d,set=%zu", d->fd, i);
		add(a, "-drive");
		ADDF(a,
		     "if=none,id=disk%zu,format=raw,file.driver=%s,file.filename=/dev/fdset/%zu,auto-read-only=off,readonly=%s,bps=%llu,iops=%llu",
		     i, driver_of(d->fd), i, d->readonly ? "on" : "off",
		     (unsigned long long)d->rate.bytes,
		     (unsigned long long)d->rate.ops);
		add(a, "-device");
		ADDF(a, "virtio-blk-%s,drive=disk%zu%s%s", suffix(q), i,
		     d->id ? ",serial=" : "", d->id ? d->id : "");
	}
}

static void add_nics(struct args *a, const struct vm_qemu *q)
{
	for (size_t i = 0; i < q->c->nics.n; i++) {
		const struct vm_nic *n = &q->c->nics.v[i];

		add(a, "-netdev");
		ADDF(a, "tap,id=net%zu,fd=%d", i, n->fd);
		add(a, "-device");
		/* No boot from it: its ROM would only be looked for. */
		ADDF(a, "virtio-net-%s,netdev=net%zu%s%s%s", suffix(q), i,
		     n->mac ? ",mac=" : "", n->mac ? n->mac : "",
		     q->pci ? ",romfile=" : "");
	}
}

static void add_rest(struct args *a, const struct vm_qemu *q)
{
	if (q->c->rng) {
		add(a, "-object");
		add(a, "rng-builtin,id=rng");
		add(a, "-device");
		ADDF(a, "virtio-rng-%s,rng=rng", suffix(q));
	}
	if (q->c->balloon) {
		add(a, "-device");
		ADDF(a, "virtio-balloon-%s,free-page-reporting=on", suffix(q));
	}
	if (q->qmp >= 0) {
		add(a, "-chardev");
		ADDF(a, "socket,id=qmp,fd=%d", q->qmp);
		add(a, "-mon");
		add(a, "chardev=qmp,mode=control");
	}
}

static const char *const fixed[] = {
	"-name",
	"moat",
	"-nodefaults",
	"-no-user-config",
	"-display",
	"none",
	/* A guest that panics or restarts has ended. */
	"-no-reboot",
	"-sandbox",
	"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
};

int vm_qemu_args(const struct vm_qemu *q, const char *program, char ***ret,
		 struct err *e)
{
	struct args a = { 0 };

	add(&a, program);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		add(&a, fixed[i]);
	add_machine(&a, q);
	add_kernel(&a, q);
	add_serial(&a, q);
	add_ports(&a, q);
	add_shares(&a, q);
	add_disks(&a, q);
	add_nics(&a, q);
	add_rest(&a, q);
	if (a.failed) {
		strv_free(a.v);
		return err_nomem(e);
	}
	*ret = a.v;
	return 0;
}
