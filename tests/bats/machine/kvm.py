# SPDX-License-Identifier: Apache-2.0
#
# Is /dev/kvm a KVM? A machine with one page of memory and one CPU, which adds
# two numbers in real mode, writes the sum to a port and halts.

import ctypes
import fcntl
import mmap
import os
import struct

CREATE_VM, GET_API_VERSION, GET_VCPU_MMAP_SIZE = 0xAE01, 0xAE00, 0xAE04
CREATE_VCPU, RUN = 0xAE41, 0xAE80
SET_USER_MEMORY_REGION = 0x4020AE46
SET_REGS, GET_SREGS, SET_SREGS = 0x4090AE82, 0x8138AE83, 0x4138AE84
EXIT_IO, EXIT_HLT = 2, 5
START = 0x1000
CODE = bytes([
    0xBA, 0xF8, 0x03,  # mov $0x3f8, %dx
    0x00, 0xD8,        # add %bl, %al
    0xEE,              # out %al, (%dx)
    0xF4,              # hlt
])

kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
assert fcntl.ioctl(kvm, GET_API_VERSION, 0) == 12
vm = fcntl.ioctl(kvm, CREATE_VM, 0)

memory = mmap.mmap(-1, 0x1000)
memory[:len(CODE)] = CODE
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
fcntl.ioctl(vm, SET_USER_MEMORY_REGION,
            struct.pack("IIQQQ", 0, 0, START, len(memory), address))

cpu = fcntl.ioctl(vm, CREATE_VCPU, 0)
run = mmap.mmap(cpu, fcntl.ioctl(kvm, GET_VCPU_MMAP_SIZE, 0))

# struct kvm_sregs begins with cs: base, limit, selector. Real mode from 0.
sregs = bytearray(312)
fcntl.ioctl(cpu, GET_SREGS, sregs)
struct.pack_into("Q", sregs, 0, 0)
struct.pack_into("H", sregs, 12, 0)
fcntl.ioctl(cpu, SET_SREGS, bytes(sregs))
# struct kvm_regs: rax rbx ... rip rflags; bit 1 of rflags is always set.
fcntl.ioctl(cpu, SET_REGS, struct.pack("18Q", 2, 3, *[0] * 14, START, 2))

fcntl.ioctl(cpu, RUN, 0)
assert struct.unpack_from("I", run, 8)[0] == EXIT_IO
offset = struct.unpack_from("Q", run, 40)[0]
assert run[offset] == 5, f"2 + 3 is {run[offset]} there"
fcntl.ioctl(cpu, RUN, 0)
assert struct.unpack_from("I", run, 8)[0] == EXIT_HLT
