/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * ACPI tables as bytes. A writer never overruns: what does not fit is left
 * out and .full is set, to be asked once at the end.
 *
 * Packages (scopes, devices, buffers) nest as blocks; their length, which
 * stands in front, is always written in two bytes and filled in at the end.
 *
 *	at = x86_aml_open(w, "_SB_", X86_AML_SCOPE);
 *	...
 *	x86_aml_close(w, at);
 */
#include "base/util.h"

struct x86_aml {
	uint8_t *data;
	size_t size, len;
	bool full;
};

enum x86_aml_kind {
	X86_AML_SCOPE,
	X86_AML_DEVICE,
};

void x86_aml_bytes(struct x86_aml *w, const void *data, size_t len);
void x86_aml_u8(struct x86_aml *w, uint8_t v);
void x86_aml_u16(struct x86_aml *w, uint16_t v);
void x86_aml_u32(struct x86_aml *w, uint32_t v);
void x86_aml_u64(struct x86_aml *w, uint64_t v);

/* name: four characters. Gives what close wants. */
size_t x86_aml_open(struct x86_aml *w, const char *name,
		    enum x86_aml_kind kind);
void x86_aml_close(struct x86_aml *w, size_t at);

/* Name(name, "text"), Name(name, value). */
void x86_aml_name_text(struct x86_aml *w, const char *name, const char *text);
void x86_aml_name_u32(struct x86_aml *w, const char *name, uint32_t v);
/* Name(name, EisaId("PNP0501")) */
void x86_aml_name_eisa(struct x86_aml *w, const char *name, const char *id);

/* Name(_CRS, ResourceTemplate { one range, one interrupt }) */
struct x86_aml_resources {
	bool io; /* ports, else memory */
	uint32_t start, len;
	uint32_t gsi; /* edge, high, exclusive */
};
void x86_aml_resources(struct x86_aml *w, const struct x86_aml_resources *r);
