/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <string.h>

#include "base/log.h"
#include "microvm/gate.h"
#include "microvm/mmio_priv.h"

/* The registers, as a driver on a vCPU sees them. */
#define MAGIC	0x74726976U /* "virt" */
#define VERSION 2U
#define VENDOR	0x74616f6dU /* "moat" */

/* On the device thread, while the vCPU that asked for it waits. */

static void do_reset(void *arg)
{
	struct mmio *m = arg;

	virtio_reset(m->dev);
	memset(m->queue, 0, sizeof(m->queue));
	m->driver_features = 0;
	__atomic_store_n(&m->isr, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&m->status, 0, __ATOMIC_SEQ_CST);
}

static void do_activate(void *arg)
{
	struct mmio *m = arg;
	struct virtio_dev *dev = m->dev;
	struct err e = { 0 };

	for (uint32_t i = 0; i < dev->n_queues; i++) {
		const struct queue_regs *q = &m->queue[i];
		struct virtq *vq = &dev->queue[i];

		vq->desc_gpa = q->desc;
		vq->avail_gpa = q->avail;
		vq->used_gpa = q->used;
		vq->size = q->size;
		vq->ready = q->ready;
	}
	if (virtio_activate(dev, m->driver_features, &e) == 0)
		return;
	log_debug("%s", err_text(&e));
	dev->transport->needs_reset(dev);
}

struct config_write {
	struct virtio_dev *dev;
	uint32_t offset, len;
	const uint8_t *data;
};

static void do_config_write(void *arg)
{
	const struct config_write *w = arg;

	if (w->dev->active)
		w->dev->ops->config(w->dev, w->offset, w->data, w->len);
}

static void call(struct mmio *m, gate_fn fn, void *arg)
{
	/* Unmade when the machine ends: nobody will notice. */
	if (m->gate)
		(void)gate_call(m->gate, fn, arg);
	else
		fn(arg);
}

static uint32_t read_magic(const struct mmio *m)
{
	return MAGIC;
}

static uint32_t read_version(const struct mmio *m)
{
	return VERSION;
}

static uint32_t read_id(const struct mmio *m)
{
	return m->dev->ops->id;
}

static uint32_t read_vendor(const struct mmio *m)
{
	return VENDOR;
}

static uint32_t read_features(const struct mmio *m)
{
	if (m->features_sel > 1)
		return 0;
	return (uint32_t)(m->dev->offered >> (32 * m->features_sel));
}

static uint32_t read_queue_max(const struct mmio *m)
{
	uint32_t q = m->queue_sel;

	return q < m->dev->n_queues ? m->dev->queue[q].max : 0;
}

static uint32_t read_queue_ready(const struct mmio *m)
{
	uint32_t q = m->queue_sel;

	return q < m->dev->n_queues ? m->queue[q].ready : 0;
}

static uint32_t read_isr(const struct mmio *m)
{
	return __atomic_load_n(&m->isr, __ATOMIC_SEQ_CST);
}

static uint32_t read_status(const struct mmio *m)
{
	return __atomic_load_n(&m->status, __ATOMIC_SEQ_CST);
}

static uint32_t read_generation(const struct mmio *m)
{
	return __atomic_load_n(&m->generation, __ATOMIC_SEQ_CST);
}

/* No shared memory: every region has the length that says so. */
static uint32_t read_ones(const struct mmio *m)
{
	return UINT32_MAX;
}

static void write_features_sel(struct mmio *m, uint32_t v)
{
	m->features_sel = v;
}

static void write_driver_features_sel(struct mmio *m, uint32_t v)
{
	m->driver_features_sel = v;
}

static void write_driver_features(struct mmio *m, uint32_t v)
{
	unsigned int shift = 32 * m->driver_features_sel;

	if (m->driver_features_sel > 1 ||
	    (read_status(m) & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	m->driver_features &= ~(0xffffffffULL << shift);
	m->driver_features |= (uint64_t)v << shift;
}

static void write_queue_sel(struct mmio *m, uint32_t v)
{
	m->queue_sel = v;
}

/* The queue that is being set up, or NULL when it is not the time for it. */
static struct queue_regs *open_queue(struct mmio *m)
{
	uint32_t s = read_status(m);

	if (m->queue_sel >= m->dev->n_queues ||
	    !(s & VIRTIO_CONFIG_S_FEATURES_OK) ||
	    (s & VIRTIO_CONFIG_S_DRIVER_OK))
		return NULL;
	return &m->queue[m->queue_sel];
}

static void write_queue_num(struct mmio *m, uint32_t v)
{
	struct queue_regs *q = open_queue(m);

	/* Judged by virtq_start(); too large a number must not become a
	 * sane one by being cut. */
	if (q)
		q->size = v > UINT16_MAX ? 0 : (uint16_t)v;
}

static void write_queue_ready(struct mmio *m, uint32_t v)
{
	struct queue_regs *q = open_queue(m);

	if (q)
		q->ready = v & 1;
}

static void set_half(uint64_t *at, bool high, uint32_t v)
{
	if (high)
		*at = (*at & 0xffffffffULL) | (uint64_t)v << 32;
	else
		*at = (*at & ~0xffffffffULL) | v;
}

#define ADDRESS_WRITERS(member)                                                \
	static void write_##member##_low(struct mmio *m, uint32_t v)           \
	{                                                                      \
		struct queue_regs *q = open_queue(m);                          \
                                                                               \
		if (q)                                                         \
			set_half(&q->member, false, v);                        \
	}                                                                      \
	static void write_##member##_high(struct mmio *m, uint32_t v)          \
	{                                                                      \
		struct queue_regs *q = open_queue(m);                          \
                                                                               \
		if (q)                                                         \
			set_half(&q->member, true, v);                         \
	}

ADDRESS_WRITERS(desc)
ADDRESS_WRITERS(avail)
ADDRESS_WRITERS(used)

/* Comes here only when no ioeventfd caught it: a queue that is not there. */
static void write_notify(struct mmio *m, uint32_t v)
{
	if (v < m->dev->n_queues)
		mmio_signal(m->kick[v].fd);
}

static void write_isr_ack(struct mmio *m, uint32_t v)
{
	(void)__atomic_fetch_and(&m->isr, ~v, __ATOMIC_SEQ_CST);
}

static bool features_acceptable(const struct mmio *m)
{
	uint64_t f = m->driver_features;

	return (f & ~m->dev->offered) == 0 &&
	       (f & (1ULL << VIRTIO_F_VERSION_1));
}

static void write_status(struct mmio *m, uint32_t v)
{
	uint32_t old = read_status(m), fresh = v & ~old;

	if (v == 0) {
		call(m, do_reset, m);
		return;
	}
	/* A driver adds bits; the refused ones it finds out by reading. */
	if ((fresh & VIRTIO_CONFIG_S_FEATURES_OK) && !features_acceptable(m))
		v &= ~(uint32_t)VIRTIO_CONFIG_S_FEATURES_OK;
	if (!((old | v) & VIRTIO_CONFIG_S_FEATURES_OK))
		v &= ~(uint32_t)VIRTIO_CONFIG_S_DRIVER_OK;
	v &= ~(uint32_t)VIRTIO_CONFIG_S_NEEDS_RESET & 0xff;
	(void)__atomic_fetch_or(&m->status, v, __ATOMIC_SEQ_CST);

	if (v & fresh & VIRTIO_CONFIG_S_DRIVER_OK)
		call(m, do_activate, m);
}

struct reg {
	uint32_t (*read)(const struct mmio *m);
	void (*write)(struct mmio *m, uint32_t v);
};

/* clang-format off */
#define REG(name) [VIRTIO_MMIO_##name / 4]
static const struct reg regs[VIRTIO_MMIO_CONFIG / 4] = {
	REG(MAGIC_VALUE)	 = { read_magic, NULL },
	REG(VERSION)		 = { read_version, NULL },
	REG(DEVICE_ID)		 = { read_id, NULL },
	REG(VENDOR_ID)		 = { read_vendor, NULL },
	REG(DEVICE_FEATURES)	 = { read_features, NULL },
	REG(DEVICE_FEATURES_SEL) = { NULL, write_features_sel },
	REG(DRIVER_FEATURES)	 = { NULL, write_driver_features },
	REG(DRIVER_FEATURES_SEL) = { NULL, write_driver_features_sel },
	REG(QUEUE_SEL)		 = { NULL, write_queue_sel },
	REG(QUEUE_NUM_MAX)	 = { read_queue_max, NULL },
	REG(QUEUE_NUM)		 = { NULL, write_queue_num },
	REG(QUEUE_READY)	 = { read_queue_ready, write_queue_ready },
	REG(QUEUE_NOTIFY)	 = { NULL, write_notify },
	REG(INTERRUPT_STATUS)	 = { read_isr, NULL },
	REG(INTERRUPT_ACK)	 = { NULL, write_isr_ack },
	REG(STATUS)		 = { read_status, write_status },
	REG(QUEUE_DESC_LOW)	 = { NULL, write_desc_low },
	REG(QUEUE_DESC_HIGH)	 = { NULL, write_desc_high },
	REG(QUEUE_AVAIL_LOW)	 = { NULL, write_avail_low },
	REG(QUEUE_AVAIL_HIGH)	 = { NULL, write_avail_high },
	REG(QUEUE_USED_LOW)	 = { NULL, write_used_low },
	REG(QUEUE_USED_HIGH)	 = { NULL, write_used_high },
	REG(SHM_LEN_LOW)	 = { read_ones, NULL },
	REG(SHM_LEN_HIGH)	 = { read_ones, NULL },
	REG(SHM_BASE_LOW)	 = { read_ones, NULL },
	REG(SHM_BASE_HIGH)	 = { read_ones, NULL },
	REG(CONFIG_GENERATION)	 = { read_generation, NULL },
};
/* clang-format on */

/* Touched for every interrupt, and atomic: no lock. */
static bool lockless(uint64_t offset)
{
	return offset == VIRTIO_MMIO_INTERRUPT_STATUS ||
	       offset == VIRTIO_MMIO_INTERRUPT_ACK;
}

static const struct reg *find_reg(uint64_t offset, uint32_t len)
{
	return len == 4 && offset % 4 == 0 ? &regs[offset / 4] : NULL;
}

static void bus_mmio_read(void *arg, uint64_t offset, uint8_t *data,
			  uint32_t len)
{
	struct mmio *m = arg;
	const struct reg *reg;
	uint32_t v = 0;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		virtio_get_config(m->dev, (uint32_t)offset - VIRTIO_MMIO_CONFIG,
				  data, len);
		return;
	}
	memset(data, 0, len);
	reg = find_reg(offset, len);
	if (!reg || !reg->read)
		return;
	if (!lockless(offset))
		(void)pthread_mutex_lock(&m->lock);
	v = reg->read(m);
	if (!lockless(offset))
		(void)pthread_mutex_unlock(&m->lock);
	memcpy(data, &v, sizeof(v));
}

static void write_config(struct mmio *m, uint32_t offset, const uint8_t *data,
			 uint32_t len)
{
	struct config_write w = { m->dev, offset, len, data };

	if (m->dev->ops->config && offset < m->dev->config_len &&
	    len <= m->dev->config_len - offset)
		call(m, do_config_write, &w);
}

static void bus_mmio_write(void *arg, uint64_t offset, const uint8_t *data,
			   uint32_t len)
{
	struct mmio *m = arg;
	const struct reg *reg;
	uint32_t v;

	if (offset >= VIRTIO_MMIO_CONFIG) {
		write_config(m, (uint32_t)offset - VIRTIO_MMIO_CONFIG, data,
			     len);
		return;
	}
	reg = find_reg(offset, len);
	if (!reg || !reg->write)
		return;
	memcpy(&v, data, sizeof(v));
	if (!lockless(offset))
		(void)pthread_mutex_lock(&m->lock);
	reg->write(m, v);
	if (!lockless(offset))
		(void)pthread_mutex_unlock(&m->lock);
}

const struct bus_ops mmio_bus_ops = {
	.name = "virtio",
	.read = bus_mmio_read,
	.write = bus_mmio_write,
};
