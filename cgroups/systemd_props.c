/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups/systemd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "cgroups/gvariant.h"

#define MASK_BITS 65536

/* The systemd that learned a property; an older one refuses the whole request
 * for a name it does not know. */
#define SINCE_QUOTA_PERIOD    242
#define SINCE_CPUSET	      244
#define SINCE_IDLE	      252
#define SINCE_ZSWAP_MAX	      253
#define SINCE_OOM_POLICY      253 /* of scopes */
#define SINCE_ZSWAP_WRITEBACK 256

/* What is in the file stands, but not for long. */
#define UNDONE "%s: this systemd sets it back when it is reloaded"

static void put_name(struct cg_dbus_out *m, const char *name, const char *type)
{
	cg_dbus_align(m, 8);
	cg_dbus_str(m, name);
	cg_dbus_sig(m, type);
}

void cg_systemd_put_str(struct cg_dbus_out *m, const char *name, const char *v)
{
	put_name(m, name, "s");
	cg_dbus_str(m, v);
}

void cg_systemd_put_bool(struct cg_dbus_out *m, const char *name, bool v)
{
	put_name(m, name, "b");
	cg_dbus_u32(m, v);
}

static void put_u64(struct cg_dbus_out *m, const char *name, uint64_t v)
{
	put_name(m, name, "t");
	cg_dbus_u64(m, v);
}

/* --- single numbers -------------------------------------------------------*/

/* No limit is UINT64_MAX in systemd's words, as -1 becomes when it is cast. */
/* clang-format off */
#define PROP(n, m) { n, offsetof(struct cg_limits, m) +                        \
	(0 * sizeof(char[__builtin_types_compatible_p(                         \
		__typeof__(((struct cg_limits *)0)->m), struct opt_i64) ? 1 : -1])) }
static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	PROP("MemoryMax",     memory_max),
	PROP("MemoryHigh",    memory_high),
	PROP("MemoryLow",     memory_low),
	PROP("MemoryMin",     memory_min),
	PROP("MemorySwapMax", memory_swap_max),
	PROP("TasksMax",      pids_max),
};
/* clang-format on */

static void put_numbers(struct cg_dbus_out *m, const struct cg_limits *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const void *p = (const char *)l + numbers[i].offset;
		const struct opt_i64 *v = p;

		if (v->set)
			put_u64(m, numbers[i].name, (uint64_t)v->v);
	}
}

static void put_swap_total(struct cg_dbus_out *m, const struct cg_limits *l)
{
	int64_t total = l->memory_swap_total.v;

	if (!l->memory_swap_total.set)
		return;
	if (total < 0)
		put_u64(m, "MemorySwapMax", UINT64_MAX);
	else if (l->memory_max.set && l->memory_max.v >= 0 &&
		 total >= l->memory_max.v)
		put_u64(m, "MemorySwapMax",
			(uint64_t)(total - l->memory_max.v));
}

/*
 * systemd keeps a quota per second of time. In its files, which it reads back
 * at a reload, it has whole per cents: round up, so that a reload never takes
 * away what was given.
 */
static void put_quota(struct cg_dbus_out *m, const struct cg_limits *l,
		      unsigned int version)
{
	uint64_t period = l->cpu_period_us.set ? l->cpu_period_us.v : 100000;
	uint64_t per_second;

	if (l->cpu_period_us.set && version >= SINCE_QUOTA_PERIOD)
		put_u64(m, "CPUQuotaPeriodUSec", period);
	if (!l->cpu_quota_us.set)
		return;
	if (l->cpu_quota_us.v < 0) {
		put_u64(m, "CPUQuotaPerSecUSec", UINT64_MAX);
		return;
	}
	if (period == 0 ||
	    __builtin_mul_overflow((uint64_t)l->cpu_quota_us.v,
				   UINT64_C(1000000), &per_second))
		return;
	per_second /= period;
	per_second = (per_second + 9999) / 10000 * 10000;
	put_u64(m, "CPUQuotaPerSecUSec", per_second);
}

static void put_weights(struct cg_dbus_out *m, const struct cg_limits *l,
			unsigned int version)
{
	bool idle = l->cpu_idle.set && l->cpu_idle.v == 1;

	/* 0 is systemd's word for idle. */
	if (idle && version >= SINCE_IDLE)
		put_u64(m, "CPUWeight", 0);
	else if (idle)
		log_warning(UNDONE, "cpu.idle");
	else if (l->cpu_weight.set)
		put_u64(m, "CPUWeight", l->cpu_weight.v);
	else if (l->cpu_shares.set)
		put_u64(m, "CPUWeight", cg_shares_to_weight(l->cpu_shares.v));
	if (l->io_weight.set)
		put_u64(m, "IOWeight", l->io_weight.v);
	else if (l->io_blkio_weight.set)
		put_u64(m, "IOWeight",
			cg_blkio_to_io_weight(l->io_blkio_weight.v));
}

/* --- lists ----------------------------------------------------------------*/

struct mask {
	uint8_t *v;
	size_t n;
};

static int set_bits(void *arg, uint64_t first, uint64_t last)
{
	struct mask *mask = arg;

	for (uint64_t i = first; i <= last; i++) {
		mask->v[i / 8] |= (uint8_t)(1U << (i % 8));
		mask->n = MAX_OF(mask->n, (size_t)(i / 8 + 1));
	}
	return 0;
}

int cg_systemd_mask(const char *list, uint8_t **ret, size_t *ret_n)
{
	autofree uint8_t *v = calloc(1, MASK_BITS / 8);
	struct mask mask = { .v = v };

	if (!v)
		return -ENOMEM;
	if (*list && str_each_range(list, MASK_BITS - 1, set_bits, &mask) < 0)
		return -EINVAL;
	*ret = steal_ptr(v);
	*ret_n = mask.n;
	return 0;
}

static int put_list(struct cg_dbus_out *m, const char *name, const char *list,
		    unsigned int version, struct err *e)
{
	autofree uint8_t *v = NULL;
	size_t n;
	int r;

	/* Older ones leave cpuset alone. */
	if (!list || version < SINCE_CPUSET)
		return 0;
	r = cg_systemd_mask(list, &v, &n);
	if (r < 0)
		return err_set(e, r, "cpuset: '%s' is no list of numbers",
			       list);
	put_name(m, name, "ay");
	cg_dbus_bytes(m, v, n);
	return 0;
}

/* clang-format off */
#define PER_DEVICE(n, m) { n, offsetof(struct cg_io_device, m) }
static const struct {
	const char *name;
	size_t offset;
} rates[] = {
	PER_DEVICE("IOReadBandwidthMax",       read_bps),
	PER_DEVICE("IOWriteBandwidthMax",      write_bps),
	PER_DEVICE("IOReadIOPSMax",            read_iops),
	PER_DEVICE("IOWriteIOPSMax",           write_iops),
	PER_DEVICE("IODeviceLatencyTargetUSec", latency_us),
};
/* clang-format on */

static void put_device(struct cg_dbus_out *m, const struct cg_io_device *d,
		       uint64_t value)
{
	char path[48];

	(void)snprintf(path, sizeof(path), "/dev/block/%" PRIu32 ":%" PRIu32,
		       d->major, d->minor);
	cg_dbus_align(m, 8);
	cg_dbus_str(m, path);
	cg_dbus_u64(m, value);
}

static void put_rate(struct cg_dbus_out *m, const struct cg_limits *l,
		     const char *name, size_t offset, bool zero_is_none)
{
	struct cg_dbus_array a = { 0 };
	bool open = false;

	for (size_t i = 0; i < l->io_devices.n; i++) {
		const struct cg_io_device *d = &l->io_devices.v[i];
		const void *p = (const char *)d + offset;
		const struct opt_u64 *v = p;

		if (!v->set)
			continue;
		if (!open) {
			put_name(m, name, "a(st)");
			a = cg_dbus_open(m, 8);
			open = true;
		}
		put_device(m, d, v->v == 0 && zero_is_none ? UINT64_MAX : v->v);
	}
	if (open)
		cg_dbus_close(m, a);
}

static void put_device_weights(struct cg_dbus_out *m, const struct cg_limits *l)
{
	struct cg_dbus_array a = { 0 };
	bool open = false;

	for (size_t i = 0; i < l->io_devices.n; i++) {
		const struct cg_io_device *d = &l->io_devices.v[i];

		if (!d->weight.set && !d->blkio_weight.set)
			continue;
		if (!open) {
			put_name(m, "IODeviceWeight", "a(st)");
			a = cg_dbus_open(m, 8);
			open = true;
		}
		put_device(m, d,
			   d->weight.set
				   ? d->weight.v
				   : cg_blkio_to_io_weight(d->blkio_weight.v));
	}
	if (open)
		cg_dbus_close(m, a);
}

bool cg_systemd_ages(const struct cg_limits *l)
{
	return l->memory_zswap_max.set || l->memory_zswap_writeback.set ||
	       l->memory_oom_group.set || l->cpu_period_us.set ||
	       l->cpu_idle.set || l->cpuset_cpus || l->cpuset_mems;
}

/* What older ones do not know they do not undo either; only the group's end at
 * a lack of memory, and idle, are undone by their reload. */
static void put_newer(struct cg_dbus_out *m, const struct cg_limits *l,
		      bool new_scope, unsigned int version)
{
	if (l->memory_zswap_max.set && version >= SINCE_ZSWAP_MAX)
		put_u64(m, "MemoryZSwapMax", (uint64_t)l->memory_zswap_max.v);
	if (l->memory_zswap_writeback.set && version >= SINCE_ZSWAP_WRITEBACK)
		cg_systemd_put_bool(m, "MemoryZSwapWriteback",
				    l->memory_zswap_writeback.v);
	if (!l->memory_oom_group.set)
		return;
	if (new_scope && version >= SINCE_OOM_POLICY)
		cg_systemd_put_str(m, "OOMPolicy",
				   l->memory_oom_group.v ? "kill" : "continue");
	else if (l->memory_oom_group.v)
		log_warning(UNDONE, "memory.oom.group");
}

int cg_systemd_limits(struct cg_dbus_out *m, const struct cg_limits *l,
		      bool new_scope, unsigned int version, struct err *e)
{
	int r;

	put_numbers(m, l);
	put_swap_total(m, l);
	put_quota(m, l, version);
	put_weights(m, l, version);
	put_newer(m, l, new_scope, version);
	r = put_list(m, "AllowedCPUs", l->cpuset_cpus, version, e);
	if (r == 0)
		r = put_list(m, "AllowedMemoryNodes", l->cpuset_mems, version,
			     e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++)
		put_rate(m, l, rates[i].name, rates[i].offset,
			 rates[i].offset !=
				 offsetof(struct cg_io_device, latency_us));
	put_device_weights(m, l);
	return cg_systemd_put_devices(m, &l->devices, e);
}

/* --- annotations ----------------------------------------------------------*/

/* "TimeoutStopSec" = "1.5" or "int32 2" -> TimeoutStopUSec, microseconds */
static int put_seconds(struct cg_dbus_out *m, const char *name,
		       const char *text, struct err *e)
{
	autofree char *longer =
		str_printf("%.*sUSec", (int)(strlen(name) - 3), name);
	const char *number = strrchr(text, ' ');
	uint64_t nano;

	if (!longer)
		return err_nomem(e);
	if (str_to_nano(number ? number + 1 : text, &nano) < 0)
		return err_set(e, -EINVAL, "'%s' is no number of seconds",
			       text);
	put_u64(m, longer, nano / 1000);
	return 0;
}

int cg_systemd_property(struct cg_dbus_out *m, const char *name,
			const char *text, struct err *e)
{
	int r;

	if (name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz0123456789")] ||
	    strlen(name) < 3)
		return err_set(e, -EINVAL, "'%s' is no property of a unit",
			       name);
	if (str_ends(name, "Sec") && !str_ends(name, "USec")) {
		r = put_seconds(m, name, text, e);
	} else {
		cg_dbus_align(m, 8);
		cg_dbus_str(m, name);
		r = cg_gvariant_put(m, text, e);
	}
	return r < 0 ? err_wrap(e, r, "property '%s'", name) : 0;
}
