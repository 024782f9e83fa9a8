# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the scripts share that install dmuser on a machine with a booted systemd, which a VM is (tests/vm/run
# --systemd). Sourced after tests/lib.sh, never run. Owns the VM's /; $work holds what outlives a test.
# shellcheck disable=SC2154 # tree and build are the script's

[[ -n ${DMUSER_VM-} && $(</proc/1/comm) == systemd ]] || {
	echo "$0: it changes this machine; run it in a VM: tests/vm/run --systemd -- $0" >&2
	exit 2
}
kver=$(uname -r)
readonly kver
work=$(mktemp -d /run/dmuser-test.XXXXXX)
readonly work

# A machine as Debian's packages leave it, but with few modules, as depmod reads each of them, and through 9p.
# dm-user is not among them.
trim_modules() {
	local all=/lib/modules/$kver few=$work/modules name path
	mkdir -p "$few"
	for name in dm-mod loop ext4 crc32c_generic overlay 9pnet_virtio; do
		modprobe --show-depends "$name" 2>/dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p'
	done | sort -u | while read -r path; do
		mkdir -p "$few/$(dirname "${path#"$all"/}")"
		cp "$path" "$few/${path#"$all"/}"
	done
	cp "$all"/modules.{order,builtin,builtin.modinfo} "$few/"
	ln -s "/usr/src/linux-headers-$kver" "$few/build"
	mount --bind "$few" "$all"
	depmod
}

# Compiling the module takes minutes on an emulated machine, and has been done for this kernel already. A source that
# says "upgraded" comes out as another module, which is never loaded.
stand_in_for_make() {
	cat >/usr/local/sbin/make <<MAKE
#!/bin/sh
case " \$* " in
*" clean "*) exit 0 ;;
esac
for word; do
	case \$word in M=*) dir=\${word#M=} ;; esac
done
[ -n "\$dir" ] || exec /usr/bin/make "\$@"
cp "$build/kmod/$kver/dm-user.ko" "\$dir/dm-user.ko"
! grep -q upgraded "\$dir/main.c" || sed -i 's/srcversion=......../srcversion=UPGRADED/' "\$dir/dm-user.ko"
MAKE
	chmod +x /usr/local/sbin/make
}

install_dmuser() {
	"$tree/packaging/install" --no-prepare --build "${1-$build}"
}

# All that differs on disk from the machine before it was booted, a path and a checksum a line; but journals, the
# build directory, what is private to a boot, and what other programs keep for themselves: the key that DKMS made for
# this machine's modules, and the copies that groupadd and ldconfig make of what they change.
changes() {
	(
		cd /run/vm/written
		find . \( -path ./tmp -o -path ./var/log -o -path ./var/tmp -o -path ./root -o -path ./var/lib/systemd \
			-o -path './var/lib/dkms/mok.*' -o -path './etc/*-' -o -path './var/cache' \
			-o -path ".$build" -o -path ./etc/ld.so.cache -o -path './etc/.pwd.lock' \) -prune -o -print |
			while read -r path; do
				if [[ -d $path && ! -L $path ]]; then
					[[ -d /run/vm/host/$path ]] || echo "$path/"
				elif [[ ! -f $path ]] || ! cmp -s "$path" "/run/vm/host/$path"; then
					echo "$path $(cksum <"$path" 2>/dev/null || readlink "$path" || echo gone)"
				fi
			done
		cd "/lib/modules/$kver"
		find . -type f -exec cksum {} +
		find . -type d
	) | LC_ALL=C sort
}

# found STATUS COMMAND…: prints what it finds; STATUS is how it says that there is nothing. Any other is printed, too,
# because one that cannot look finds nothing either.
found() {
	local nothing=$1 status=0
	shift
	"$@" || status=$?
	((status == 0 || status == nothing)) || echo "$*: status $status"
}

# As it was before anything was tried.
is_as_before() {
	changes | diff "$work/before" -
	[[ -z $(traces) ]] || { traces && return 1; }
}

# What the kernel and systemd know of dmuser: what is printed counts.
traces() {
	local path
	systemctl list-units --all --plain --no-legend 'dmuser*'
	systemctl list-unit-files --no-legend 'dmuser*'
	found 2 getent group dmuser
	dkms status -m dmuser
	for path in /run/dmuser /sys/fs/cgroup/dmuser /sys/module/dm_user /dev/dm-user /var/lib/dkms/dmuser; do
		[[ ! -e $path ]] || echo "$path"
	done
	found 1 pgrep -a dmuser
	found 1 "$tree/packaging/left-behind"
}

main_pid() {
	systemctl show --property MainPID --value "$1"
}

# has_new_main UNIT OLD-PID: the service manager has started it again.
has_new_main() {
	local pid
	pid=$(main_pid "$1")
	[[ $pid != 0 && $pid != "$2" ]] && systemctl -q is-active "$1"
}

# runs_file UNIT FILE: its main process does, and not one that was in FILE's place before.
runs_file() {
	cmp "/proc/$(main_pid "$1")/exe" "$2"
}

# A file system on a volume, and a writer that notes every round; a round is on stable storage, or it failed.
start_writer() {
	dmuserctl create --backend memory --size 64M v1
	mkfs.ext4 -q "$(device v1)"
	mkdir -p "$work/mnt"
	mount "$(device v1)" "$work/mnt"
	: >"$work/rounds"
	setsid bash -c '
		while dd if=/dev/urandom of="$1/mnt/data" bs=64k count=4 conv=fsync status=none; do
			echo round >>"$1/rounds"
			read -rt 0.2 <>"$1/never"
		done
		echo failed >>"$1/rounds"' - "$work" >/dev/null 2>"$work/writer.log" </dev/null &
	echo $! >"$work/writer"
	goes_on_writing
}

stop_writer() {
	kill -- "-$(<"$work/writer")"
	within 20 umount "$work/mnt"
}

device() {
	dmuserctl --json show "$1" | sed -n 's/.*"device": *"\([^"]*\)".*/\1/p'
}

worker_of() {
	dmuserctl --json show "$1" | sed -n 's/.*"worker_pid": *\([0-9]*\).*/\1/p'
}

has_written() {
	(($(wc -l <"$work/rounds") > $1 + 2))
}

goes_on_writing() {
	within 60 has_written "$(wc -l <"$work/rounds")"
	! grep failed "$work/rounds"
}

# Its user, and its worker, have noticed nothing.
is_undisturbed() {
	goes_on_writing
	within 60 dmuserctl ping
	[[ $(worker_of v1) == "$(<"$work/worker")" ]]
	[[ $(dmuserctl --json show v1) == *'"state": "active"'* ]]
}

makes_volumes() {
	within 60 dmuserctl ping
	dmuserctl create --backend memory --size 16M "${1-fresh}"
	dd if=/dev/zero of="$(device "${1-fresh}")" bs=64k count=4 oflag=direct status=none
	dmuserctl release "${1-fresh}"
}
