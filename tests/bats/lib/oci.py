#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a shell cannot do, for the tests of moat-oci: see main()."""

import array
import ctypes
import fcntl
import os
import pty
import select
import socket
import struct
import sys
import termios


def listen(path):
    """A UNIX socket at path, which must fit: reached by its folder."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    here = os.open(".", os.O_PATH)
    os.chdir(os.path.dirname(path))
    sock.bind(os.path.basename(path))
    os.fchdir(here)
    sock.listen(1)
    return sock


def receive(sock):
    """One message and its descriptor."""
    peer, _ = sock.accept()
    text, ancillary, _, _ = peer.recvmsg(1 << 16, 4096)
    fds = array.array("i")
    for _, _, data in ancillary:
        fds.frombytes(data[: len(data) // 4 * 4])
    return text.decode(), fds[0]


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def console(path, lines):
    """Takes a terminal, types the lines, prints all that is said there."""
    name, master = receive(listen(path))
    say(f"name {name}\n")
    for line in lines:
        os.write(master, line.encode().decode("unicode_escape").encode())
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            return
        if not data:
            return
        say(data.decode())


def pidfd(path):
    """Takes a pidfd, says of which process it is."""
    name, fd = receive(listen(path))
    with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
        pid = [x.split()[1] for x in info if x.startswith("Pid:")]
    say(f"{name} {pid[0]}\n")


def listener(path):
    """Takes seccomp listeners and prints what comes with them; answers each
    system call that asks with errno 77, until there is nobody who could."""
    recv, send = 0xC0502100, 0xC0182101
    sock = listen(path)
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    left = None
    while left is None or left > 0:
        for fd, events in poll.poll():
            if fd == sock.fileno():
                text, new = receive(sock)
                say(text + "\n")
                poll.register(new, select.POLLIN)
                left = (left or 0) + 1
            elif events & select.POLLIN:
                ask = bytearray(80)
                fcntl.ioctl(fd, recv, ask)
                ident = struct.unpack_from("Q", ask)[0]
                fcntl.ioctl(fd, send, struct.pack("QqiI", ident, 0, -77, 0))
            else:
                poll.unregister(fd)
                left -= 1


def on_terminal(rows, cols, command):
    """Runs the command on a terminal of its own and copies what it says; stdin
    is typed. The line "RESIZE R C" in it is not typed but done."""
    pid, master = pty.fork()
    if pid == 0:
        size = struct.pack("HHHH", int(rows), int(cols), 0, 0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, size)
        os.execvp(command[0], command)
    poll = select.poll()
    poll.register(master, select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            try:
                data = os.read(fd, 4096)
            except OSError:
                data = b""
            if fd == master and not data:
                _, status = os.waitpid(pid, 0)
                sys.exit(os.waitstatus_to_exitcode(status))
            if fd == master:
                say(data.decode())
            elif not data:
                poll.unregister(0)
            elif data.startswith(b"RESIZE"):
                r, c = data.split()[1:3]
                size = struct.pack("HHHH", int(r), int(c), 0, 0)
                fcntl.ioctl(master, termios.TIOCSWINSZ, size)
            else:
                os.write(master, data)


def signals(how, number, command):
    """Runs the command with a signal ignored or blocked."""
    import signal

    if how == "ignore":
        signal.signal(int(number), signal.SIG_IGN)
    else:
        signal.pthread_sigmask(signal.SIG_BLOCK, [int(number)])
    os.execvp(command[0], command)


def sched(pid):
    """Policy, flags, nice, priority, runtime, deadline, period of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    attr = ctypes.create_string_buffer(56)
    if libc.syscall(315, int(pid), attr, 56, 0) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
    _, policy, flags, nice, prio, runtime, deadline, period = struct.unpack_from(
        "=IIQiIQQQ", attr.raw
    )
    say(f"{policy} {flags} {nice} {prio} {runtime} {deadline} {period}\n")


def proto_fields(data):
    """The fields of a message of Protocol Buffers: pairs of number, value."""
    pos = 0

    def varint():
        nonlocal pos
        value = shift = 0
        while True:
            byte = data[pos]
            pos += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while pos < len(data):
        key = varint()
        value = varint()
        if key & 7 == 2:
            value, pos = data[pos : pos + value], pos + value
        yield key >> 3, value


def criu_numbers(description, header):
    """Compares the numbers of criu_opts with criu's own, by their names."""
    import ast
    import re

    with open(description, encoding="utf-8") as f:
        text = re.search(r"AddSerializedFile\((b'.*?[^\\\\]')\)", f.read(), re.S)
    numbers = {}
    for number, message in proto_fields(ast.literal_eval(text.group(1))):
        fields = list(proto_fields(message)) if number == 4 else []
        if (1, b"criu_opts") in fields:
            for inner, field in fields:
                if inner == 2:
                    member = dict(proto_fields(field))
                    numbers[member[1].decode()] = member[3]
    names = {"page_server": "ps", "cgroups_mode": "manage_cgroups_mode"}
    with open(header, encoding="utf-8") as f:
        body = re.search(r"enum criu_opt \{(.*?)\};", f.read(), re.S).group(1)
    ours = re.findall(r"CRIU_(\w+) = (\d+)", body)
    for name, number in ours:
        name = names.get(name.lower(), name.lower())
        if numbers.get(name) != int(number):
            sys.exit(f"{name}: {number} instead of {numbers.get(name)}")
    if len(ours) < 30:
        sys.exit(f"only {len(ours)} numbers found")


def main():
    word, args = sys.argv[1], sys.argv[2:]
    if word == "console":
        console(args[0], args[1:])
    elif word == "pidfd":
        pidfd(args[0])
    elif word == "listener":
        listener(args[0])
    elif word == "on-terminal":
        on_terminal(args[0], args[1], args[2:])
    elif word in ("ignore", "block"):
        signals(word, args[0], args[1:])
    elif word == "criu-numbers":
        criu_numbers(args[0], args[1])
    elif word == "sched":
        sched(args[0])
    else:
        sys.exit(f"oci.py: no such word: {word}")


main()
