/* SPDX-License-Identifier: Apache-2.0 */
#include "microvm/serial.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"

#define IN_SIZE 64U
/* Interrupt enable bits that exist; divisor for 115200 baud. */
#define IER_MASK 0x0fU
#define FCR_FIFO UART_FCR_ENABLE_FIFO

struct serial {
	struct loop *loop;
	int out_fd, in_fd;
	int copy; /* of in_fd: one descriptor is in an epoll set once */
	int irq_fd;
	int wake_fd; /* vCPU threads to the device thread */
	struct loop_source *wake, *out, *in;

	pthread_mutex_t lock; /* for all below */
	uint8_t ier, lcr, mcr, fcr, scr, dll, dlm;
	bool thre_pending; /* "transmitter empty" has not been reported */

	char ring[SERIAL_RING];
	uint64_t said, written; /* bytes since the start */

	uint8_t typed[IN_SIZE];
	uint32_t typed_at, n_typed;
	bool in_paused;
};

static void add_event(int fd)
{
	uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is signalled already */
}

/* The most urgent reason for an interrupt, as the IIR register has it. */
static uint8_t reason(const struct serial *s)
{
	if ((s->ier & UART_IER_RDI) && s->n_typed > 0)
		return UART_IIR_RDI;
	if ((s->ier & UART_IER_THRI) && s->thre_pending)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_interrupt(struct serial *s)
{
	if (reason(s) != UART_IIR_NO_INT)
		add_event(s->irq_fd);
}

static void send(struct serial *s, uint8_t byte)
{
	bool idle = s->said == s->written;

	s->ring[s->said++ % SERIAL_RING] = (char)byte;
	if (s->out_fd < 0)
		s->written = s->said;
	else if (idle)
		add_event(s->wake_fd);
	s->thre_pending = true;
	update_interrupt(s);
}

static uint8_t receive(struct serial *s)
{
	uint8_t byte = 0;

	if (s->n_typed > 0) {
		byte = s->typed[s->typed_at];
		s->typed_at = (s->typed_at + 1) % IN_SIZE;
		s->n_typed--;
	}
	if (s->n_typed == 0 && s->in_paused)
		add_event(s->wake_fd);
	return byte;
}

static bool divisor_shown(const struct serial *s)
{
	return s->lcr & UART_LCR_DLAB;
}

static uint8_t read_data(struct serial *s)
{
	return divisor_shown(s) ? s->dll : receive(s);
}

static uint8_t read_ier(struct serial *s)
{
	return divisor_shown(s) ? s->dlm : s->ier;
}

static uint8_t read_iir(struct serial *s)
{
	uint8_t fifo = s->fcr & FCR_FIFO ? 0xc0 : 0;
	uint8_t why = reason(s);

	if (why == UART_IIR_THRI)
		s->thre_pending = false;
	return fifo | why;
}

static uint8_t read_lcr(struct serial *s)
{
	return s->lcr;
}

static uint8_t read_mcr(struct serial *s)
{
	return s->mcr;
}

static uint8_t read_lsr(struct serial *s)
{
	uint8_t v = s->n_typed > 0 ? UART_LSR_DR : 0;

	return v | UART_LSR_THRE | UART_LSR_TEMT;
}

/* In loopback the outputs come back as inputs: drivers test the chip so. */
static uint8_t read_msr(struct serial *s)
{
	uint8_t v = 0;

	if (!(s->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (s->mcr & UART_MCR_RTS)
		v |= UART_MSR_CTS;
	if (s->mcr & UART_MCR_DTR)
		v |= UART_MSR_DSR;
	if (s->mcr & UART_MCR_OUT1)
		v |= UART_MSR_RI;
	if (s->mcr & UART_MCR_OUT2)
		v |= UART_MSR_DCD;
	return v;
}

static uint8_t read_scr(struct serial *s)
{
	return s->scr;
}

static void write_data(struct serial *s, uint8_t v)
{
	if (divisor_shown(s))
		s->dll = v;
	else if (!(s->mcr & UART_MCR_LOOP))
		send(s, v);
}

static void write_ier(struct serial *s, uint8_t v)
{
	if (divisor_shown(s)) {
		s->dlm = v;
		return;
	}
	/* The transmitter is always empty: switched on, it says so. */
	if ((v & UART_IER_THRI) && !(s->ier & UART_IER_THRI))
		s->thre_pending = true;
	s->ier = v & IER_MASK;
	update_interrupt(s);
}

static void write_fcr(struct serial *s, uint8_t v)
{
	if (v & UART_FCR_CLEAR_RCVR)
		s->n_typed = 0;
	s->fcr = v;
}

static void write_lcr(struct serial *s, uint8_t v)
{
	s->lcr = v;
}

static void write_mcr(struct serial *s, uint8_t v)
{
	s->mcr = v;
}

static void write_scr(struct serial *s, uint8_t v)
{
	s->scr = v;
}

static const struct {
	uint8_t (*read)(struct serial *s);
	void (*write)(struct serial *s, uint8_t v);
} regs[8] = {
	[UART_RX] = { read_data, write_data },
	[UART_IER] = { read_ier, write_ier },
	[UART_IIR] = { read_iir, write_fcr },
	[UART_LCR] = { read_lcr, write_lcr },
	[UART_MCR] = { read_mcr, write_mcr },
	[UART_LSR] = { read_lsr, NULL },
	[UART_MSR] = { read_msr, NULL },
	[UART_SCR] = { read_scr, write_scr },
};

static void bus_serial_read(void *dev, uint64_t offset, uint8_t *data,
			    uint32_t len)
{
	struct serial *s = dev;

	(void)pthread_mutex_lock(&s->lock);
	data[0] = regs[offset].read(s);
	(void)pthread_mutex_unlock(&s->lock);
}

static void bus_serial_write(void *dev, uint64_t offset, const uint8_t *data,
			     uint32_t len)
{
	struct serial *s = dev;

	if (!regs[offset].write)
		return;
	(void)pthread_mutex_lock(&s->lock);
	regs[offset].write(s, data[0]);
	(void)pthread_mutex_unlock(&s->lock);
}

const struct bus_ops serial_bus_ops = {
	.name = "serial",
	.read = bus_serial_read,
	.write = bus_serial_write,
};

/* Copies what waits, up to the ring's end. What the guest overwrote before it
 * could be written is lost. */
static size_t take_waiting(struct serial *s, char *buf, size_t max)
{
	size_t n, at;

	(void)pthread_mutex_lock(&s->lock);
	if (s->said - s->written > SERIAL_RING)
		s->written = s->said - SERIAL_RING;
	at = s->written % SERIAL_RING;
	n = MIN_OF(s->said - s->written, SERIAL_RING - at);
	n = MIN_OF(n, max);
	memcpy(buf, s->ring + at, n);
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static void mark_written(struct serial *s, uint64_t n)
{
	(void)pthread_mutex_lock(&s->lock);
	s->written = MIN_OF(s->written + n, s->said);
	(void)pthread_mutex_unlock(&s->lock);
}

static int on_output(void *arg, int fd, uint32_t events, struct err *e);
static int on_input(void *arg, int fd, uint32_t events, struct err *e);

/*
 * A descriptor is in the loop only while we wait for it: one that has hung up
 * reports that for ever, asked or not.
 */
static int watch(struct serial *s, struct loop_source **source, int fd, bool on,
		 struct err *e)
{
	bool out = source == &s->out;

	if (on == (*source != NULL))
		return 0;
	if (on)
		return loop_add_fd(s->loop, fd, out ? EPOLLOUT : EPOLLIN,
				   out ? on_output : on_input, s, source, e);
	loop_remove(s->loop, *source);
	*source = NULL;
	return 0;
}

/* Whoever listened is gone: the ring goes on alone. */
static void forget_output(struct serial *s)
{
	(void)pthread_mutex_lock(&s->lock);
	s->out_fd = -1;
	(void)pthread_mutex_unlock(&s->lock);
	mark_written(s, UINT32_MAX);
}

/* 1: all is written; 0: the descriptor takes no more for now. */
static int write_waiting(struct serial *s)
{
	char buf[1024];
	size_t n;

	while (s->out_fd >= 0 && (n = take_waiting(s, buf, sizeof(buf))) > 0) {
		ssize_t done = TEMP_FAILURE_RETRY(write(s->out_fd, buf, n));

		if (done < 0 && errno == EAGAIN)
			return 0;
		if (done < 0) {
			forget_output(s);
			return 1;
		}
		mark_written(s, (uint64_t)done);
	}
	return 1;
}

static int flush(struct serial *s, struct err *e)
{
	return watch(s, &s->out, s->out_fd, !write_waiting(s), e);
}

static int on_output(void *arg, int fd, uint32_t events, struct err *e)
{
	return flush(arg, e);
}

static int on_wake(void *arg, int fd, uint32_t events, struct err *e)
{
	struct serial *s = arg;
	uint64_t count;
	int r;

	if (read(fd, &count, sizeof(count)) < 0)
		return 0;
	r = flush(s, e);
	if (r < 0 || s->in_fd < 0)
		return r;
	return watch(s, &s->in, s->in_fd, true, e);
}

static void put_typed(struct serial *s, const uint8_t *data, size_t n)
{
	(void)pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n && s->n_typed < IN_SIZE; i++)
		s->typed[(s->typed_at + s->n_typed++) % IN_SIZE] = data[i];
	update_interrupt(s);
	(void)pthread_mutex_unlock(&s->lock);
}

static uint32_t typed_room(struct serial *s)
{
	uint32_t n;

	(void)pthread_mutex_lock(&s->lock);
	n = IN_SIZE - s->n_typed;
	/* Said under the lock: the reader of the last byte wakes us. */
	s->in_paused = n == 0;
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}

static int on_input(void *arg, int fd, uint32_t events, struct err *e)
{
	struct serial *s = arg;
	uint32_t room = typed_room(s);
	uint8_t buf[IN_SIZE];
	ssize_t n;

	if (room == 0)
		return watch(s, &s->in, fd, false, e);
	n = TEMP_FAILURE_RETRY(read(fd, buf, room));
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		s->in_fd = -1; /* nobody types any more */
		return watch(s, &s->in, fd, false, e);
	}
	put_typed(s, buf, (size_t)n);
	return 0;
}

static int open_events(struct serial *s, struct err *e)
{
	int r;

	s->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->irq_fd < 0 || s->wake_fd < 0)
		return err_errno(e, "make an eventfd");
	r = loop_add_fd(s->loop, s->wake_fd, EPOLLIN, on_wake, s, &s->wake, e);
	if (r == 0 && s->out_fd >= 0)
		r = fd_set_nonblock(s->out_fd, true);
	if (r == 0 && s->in_fd >= 0 && s->in_fd == s->out_fd)
		r = s->in_fd = s->copy = fd_copy(s->in_fd, 3, e);
	if (r >= 0 && s->in_fd >= 0)
		r = watch(s, &s->in, s->in_fd, true, e);
	return r;
}

int serial_new(const struct serial_config *c, struct serial **ret,
	       struct err *e)
{
	struct serial *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(e);
	s->loop = c->loop;
	s->out_fd = c->out_fd;
	s->in_fd = c->in_fd;
	s->irq_fd = s->wake_fd = s->copy = -1;
	(void)pthread_mutex_init(&s->lock, NULL);
	r = open_events(s, e);
	if (r < 0) {
		serial_free(s);
		return err_wrap(e, r, "serial console");
	}
	*ret = s;
	return 0;
}

void serial_free(struct serial *s)
{
	struct loop_source *sources[3];

	if (!s)
		return;
	sources[0] = s->wake;
	sources[1] = s->out;
	sources[2] = s->in;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (sources[i])
			loop_remove(s->loop, sources[i]);
	if (s->irq_fd >= 0)
		(void)close(s->irq_fd);
	if (s->wake_fd >= 0)
		(void)close(s->wake_fd);
	if (s->copy >= 0)
		(void)close(s->copy);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int serial_irq_fd(const struct serial *s)
{
	return s->irq_fd;
}

char *serial_text(struct serial *s, size_t max)
{
	uint64_t n, start;
	char *text, *line;

	max = MIN_OF(max, (size_t)SERIAL_RING);
	text = calloc(1, max + 1);
	if (!text)
		return NULL;
	(void)pthread_mutex_lock(&s->lock);
	n = MIN_OF(s->said, (uint64_t)max);
	start = s->said - n;
	for (uint64_t i = 0; i < n; i++)
		text[i] = s->ring[(start + i) % SERIAL_RING];
	(void)pthread_mutex_unlock(&s->lock);
	line = start > 0 ? memchr(text, '\n', n) : NULL;
	if (line)
		memmove(text, line + 1, strlen(line + 1) + 1);
	return text;
}

void serial_flush(struct serial *s)
{
	(void)write_waiting(s);
}
