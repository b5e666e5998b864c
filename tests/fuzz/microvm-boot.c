/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels of anybody's making, up to the point where they would run. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "microvm/boot.h"
#include "microvm/gmem.h"
#include "microvm/vm_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoclose int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct vm_memory m = { .bytes = 64U << 20 };
	struct json_u32v initrds = { 0 };
	struct boot_config c = { .kernel_fd = fd, .initrd_fds = &initrds };
	struct boot_entry entry;
	struct gmem mem;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size ||
	    gmem_init(&mem, &m, NULL) < 0)
		return 0;
	c.mem = &mem;
	(void)!boot_load(&c, &entry, NULL);
	gmem_done(&mem);
	return 0;
}
