#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# micro-VM: what programs do with files works on a volume, which is a share
#
# On our own server in the test machine. Each test is a program in a guest of
# its own, whose /vol is a folder of the host's disk.
#
# runs: machine
# snapshot: kvm

load ../lib/common

setup()
{
	need_machine
	need_kvm
	need_program python3
	vm=$(unique share)
	bundle=$BATS_TEST_TMPDIR/bundle
	mkdir -p "$bundle/rootfs" "$bundle/scratch" "$bundle/vol"
}

# A guest with all of root's rights; the script comes on stdin, in /vol.
in_volume() # COMMAND...
{
	local all

	all='"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID",
	  "CAP_SETGID", "CAP_SETUID", "CAP_SETFCAP", "CAP_MKNOD",
	  "CAP_SYS_ADMIN"'
	jq -n --arg bundle "$bundle" --argjson caps "[$all]" '{
	  ociVersion: "1.0.2",
	  process: { args: $ARGS.positional, cwd: "/vol",
	    user: { uid: 0, gid: 0 }, env: [ "PATH=/usr/sbin:/usr/bin" ],
	    capabilities: { bounding: $caps, permitted: $caps, effective: $caps } },
	  root: { path: "rootfs" },
	  mounts: [
	    { destination: "/proc", type: "proc", source: "proc" },
	    { destination: "/dev", type: "tmpfs", source: "tmpfs" },
	    { destination: "/tmp", type: "tmpfs", source: "tmpfs" },
	    { destination: "/vol", type: "bind", source: ($bundle + "/vol"),
	      options: [ "bind", "rw" ] } ],
	  annotations: { "moat.isolation": "vm", "moat.vm.backend": "kvm",
	    "moat.rootfs.layers": "/",
	    "moat.rootfs.scratch": ($bundle + "/scratch") },
	  linux: { namespaces: [ { type: "mount" }, { type: "pid" },
	    { type: "network" }, { type: "ipc" } ] } }' \
		--args -- "$@" >"$bundle/config.json"
	moat_oci run --bundle "$bundle" "$vm" 2>&1
}

@test "files without a name, holes, ranges, locks and attributes" {
	run in_volume python3 - <<-'END'
	import ctypes, errno, fcntl, mmap, os, struct
	libc = ctypes.CDLL(None, use_errno=True)

	# O_TMPFILE, and a name for it
	fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o640)
	os.write(fd, b"nameless")
	assert os.fstat(fd).st_nlink == 0
	assert libc.linkat(-100, b"/proc/self/fd/%d" % fd, -100, b"named", 0x400) == 0
	assert open("named").read() == "nameless"
	os.close(fd)

	# holes
	fd = os.open("holes", os.O_CREAT | os.O_RDWR, 0o600)
	os.pwrite(fd, b"x" * 4096, 1 << 20)
	assert os.lseek(fd, 0, os.SEEK_DATA) == 1 << 20
	assert os.lseek(fd, 1 << 20, os.SEEK_HOLE) == (1 << 20) + 4096
	os.posix_fallocate(fd, 0, 2 << 20)
	assert os.fstat(fd).st_size == 2 << 20
	assert libc.fallocate(fd, 3, ctypes.c_long(1 << 20), ctypes.c_long(4096)) == 0
	assert os.pread(fd, 4096, 1 << 20) == bytes(4096)

	# copies within the host
	os.pwrite(fd, b"copied", 0)
	to = os.open("copy", os.O_CREAT | os.O_RDWR, 0o600)
	assert os.copy_file_range(fd, to, 6, 0, 0) == 6
	assert os.pread(to, 6, 0) == b"copied"

	# locks: two open files exclude each other
	other = os.open("copy", os.O_RDWR)
	fcntl.flock(to, fcntl.LOCK_EX)
	try:
	    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
	    assert False
	except BlockingIOError:
	    pass
	fcntl.flock(to, fcntl.LOCK_UN)
	fcntl.lockf(to, fcntl.LOCK_EX)
	if os.fork() == 0:
	    try:
	        fcntl.lockf(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
	    except BlockingIOError:
	        os._exit(7)
	    os._exit(0)
	assert os.waitstatus_to_exitcode(os.wait()[1]) == 7

	# shared mappings
	m = mmap.mmap(fd, 8192)
	m[5000:5006] = b"mapped"
	m.flush()
	assert os.pread(fd, 6, 5000) == b"mapped"
	os.pwrite(fd, b"written", 6000)
	assert m[6000:6007] == b"written"

	# attributes, a program's rights among them
	os.setxattr("copy", "user.a", b"1")
	cap = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)
	os.setxattr("copy", "security.capability", cap)
	assert os.getxattr("copy", "security.capability") == cap
	assert sorted(os.listxattr("copy")) == ["security.capability", "user.a"]

	# names: exchanged, not replaced
	libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p] * 2 + [ctypes.c_uint]
	assert libc.renameat2(-100, b"copy", -100, b"named", 2) == 0
	assert open("copy").read() == "nameless"
	assert libc.renameat2(-100, b"copy", -100, b"named", 1) == -1
	assert ctypes.get_errno() == errno.EEXIST

	assert libc.syncfs(fd) == 0
	assert os.statvfs(".").f_bsize > 0
	print("all of it")
	END
	echo "$output"
	[[ $status -eq 0 && $output == "all of it" ]]
	[[ $(cat "$bundle/vol/copy") == nameless ]]
	[[ $(head -c 5006 "$bundle/vol/holes" | tail -c 6) == mapped ]]
}

# Each request is an exit of the guest or two, and the guest of an emulated
# machine: a few files tell as much as many.
@test "a database keeps what it is told, with either kind of journal" {
	run in_volume python3 - <<-'END'
	import sqlite3
	for mode in "delete", "wal":
	    db = sqlite3.connect("db")
	    db.execute("pragma journal_mode=" + mode)
	    db.execute("create table if not exists t (n integer, v text)")
	    with db:
	        db.executemany("insert into t values (?, ?)",
	            ((i, "v%d" % i) for i in range(50)))
	    db.close()
	db = sqlite3.connect("db")
	assert db.execute("select count(*) from t").fetchone()[0] == 100
	print(db.execute("pragma integrity_check").fetchone()[0])
	END
	echo "$output"
	[[ $status -eq 0 && $output == ok ]]
	python3 - "$bundle/vol/db" <<-'END'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	assert db.execute("select count(*), sum(n) from t").fetchone() == (100, 2450)
	END
}

@test "an archive brings back files of all kinds, and all of them can go" {
	# shellcheck disable=SC2016 # for the shell in the guest
	run in_volume sh -ec '
	mkdir in out && cd in
	for i in 1 2 3 4 5 6 7 8; do echo $i >f$i; done
	ln f1 hard; ln -s f2 soft; mkfifo pipe; mknod null c 1 3
	chown 1000:1001 f3; chmod 4755 f3
	cd .. && tar cf in.tar in && tar xpf in.tar -C out && tar df in.tar -C out
	echo in/* out/in/*
	stat -c "%u %g %a %h %F" out/in/f3 out/in/hard out/in/soft out/in/pipe out/in/null
	rm -r in out; echo *'
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $output == "in/f1 in/f2 in/f3 in/f4 in/f5 in/f6 in/f7 in/f8 in/hard in/null in/pipe in/soft out/in/f1 out/in/f2 out/in/f3 out/in/f4 out/in/f5 out/in/f6 out/in/f7 out/in/f8 out/in/hard out/in/null out/in/pipe out/in/soft
1000 1001 4755 1 regular file
0 0 644 2 regular file
0 0 777 1 symbolic link
0 0 644 1 fifo
0 0 644 1 character special file
in.tar" ]]
	[[ $(ls "$bundle/vol") == in.tar ]]
}

@test "a package is installed" {
	local package=$bundle/vol/p

	mkdir -p "$package/DEBIAN" "$package/usr" "$bundle/vol/root/usr" \
		"$bundle/vol/root/var/lib/dpkg/"{updates,info}
	printf '%s\n' "Package: p" "Version: 1" "Architecture: all" \
		"Maintainer: m" "Description: d" >"$package/DEBIAN/control"
	echo content >"$package/usr/file"
	: >"$bundle/vol/root/var/lib/dpkg/status"
	dpkg-deb -b "$package" "$bundle/vol/p.deb"
	run in_volume dpkg --root=/vol/root --force-not-root \
		--force-script-chrootless -i p.deb
	echo "$output"
	[[ $status -eq 0 ]]
	[[ $(cat "$bundle/vol/root/usr/file") == content ]]
	grep -qx "Status: install ok installed" "$bundle/vol/root/var/lib/dpkg/status"
}
