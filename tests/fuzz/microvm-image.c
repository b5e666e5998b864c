/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel files, packed kernels and module lists of anybody's making. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "microvm/backend.h"
#include "microvm/image.h"
#include "microvm/lz4.h"
#include "microvm/modules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_image(const uint8_t *data, size_t size)
{
	struct vm_image image;
	char *out = malloc(1 << 16);
	size_t len;

	if (!out)
		return;
	if (vm_image_parse(data, size, &image, NULL) == 0 &&
	    image.packing == VM_PACK_LZ4)
		(void)!vm_lz4_unpack(data + image.offset, image.len, out,
				     1 << 16, &len, NULL);
	(void)!vm_lz4_unpack(data, size, out, 1 << 16, &len, NULL);
	free(out);
}

static void try_modules(const uint8_t *data, size_t size)
{
	struct vm_modules *m = NULL;
	char *text = malloc(size + 1);
	char **list = NULL;

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	if (vm_modules_parse(text, "", &m, NULL) == 0 &&
	    vm_modules_resolve(m, ~0U, &list, NULL) == 0)
		strv_free(list);
	vm_modules_free(m);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] & 1)
		try_image(data + 1, size - 1);
	else
		try_modules(data + 1, size - 1);
	return 0;
}
