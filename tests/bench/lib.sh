# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# What the benchmarks of the kernel module share, all of it for use inside the VM: the loads, as
# options of fio, and the devices that they run on. Sourced, never run. Wants $scratch, a directory.
# Devices are not removed again: the VM ends with the benchmark.

size_mib=64
sectors=$((size_mib * 2048))

loads=(qd1-read qd1-write qd32-read qd32-write qd32-16/8-read qd32-16/8-write 128k-qd4-read 8xqd1-psync)
declare -A load_options=(
	[qd1-read]='--ioengine=io_uring --iodepth=1 --rw=randread --bs=4k'
	[qd1-write]='--ioengine=io_uring --iodepth=1 --rw=randwrite --bs=4k'
	[qd32-read]='--ioengine=io_uring --iodepth=32 --rw=randread --bs=4k'
	[qd32-write]='--ioengine=io_uring --iodepth=32 --rw=randwrite --bs=4k'
	# submitted by 16, reaped by 8
	[qd32-16/8-read]='--ioengine=io_uring --iodepth=32 --iodepth_batch_submit=16 --iodepth_batch_complete_min=8 --rw=randread --bs=4k'
	[qd32-16/8-write]='--ioengine=io_uring --iodepth=32 --iodepth_batch_submit=16 --iodepth_batch_complete_min=8 --rw=randwrite --bs=4k'
	[128k-qd4-read]='--ioengine=io_uring --iodepth=4 --rw=randread --bs=128k'
	[8xqd1-psync]='--ioengine=psync --numjobs=8 --thread --rw=randread --bs=4k'
)
devices=(dm-user dm-user-batch brd dm-linear null_blk dm-zero loop)

# make_device NAME: makes it and sets node.
make_device() {
	node=
	"make_${1//-/_}"
	[[ -b $node ]] || { echo "tests/bench: $1 did not come" >&2; return 1; }
}

# As cheap a worker as ABI version 1 allows, on one channel.
make_dm_user() {
	start_dm_user bench
}

# The same on a channel of whole messages.
make_dm_user_batch() {
	start_dm_user bench-batch batch
}

# start_dm_user NAME [OPTION…]
start_dm_user() {
	modprobe dm-user
	dmsetup create "$1" --table "0 $sectors user 0 $sectors $1"
	"$DMUSER_BUILD/tests/bench/null-worker" "$@" >"$scratch/worker-$1" &
	within 20 grep -q ready "$scratch/worker-$1"
	node=/dev/mapper/$1
}

# Filled, because a page that was never written costs less to read.
make_brd() {
	if [[ ! -b /dev/ram0 ]]; then
		modprobe brd rd_nr=1 rd_size=$((size_mib * 1024))
		dd if=/dev/zero of=/dev/ram0 bs=1M count="$size_mib" oflag=direct status=none
	fi
	node=/dev/ram0
}

make_dm_linear() {
	make_brd
	dmsetup create linear --table "0 $sectors linear $node 0"
	node=/dev/mapper/linear
}

# Completed by a timer, in another context than the submitter's, as an asynchronous device is.
make_null_blk() {
	modprobe null_blk nr_devices=1 irqmode=2 completion_nsec=0 queue_mode=2 submit_queues=1 \
		gb=1 bs=512 hw_queue_depth=64
	node=/dev/nullb0
}

make_dm_zero() {
	modprobe dm-zero
	dmsetup create zero --table "0 $sectors zero"
	node=/dev/mapper/zero
}

make_loop() {
	modprobe loop
	dd if=/dev/zero of=/dev/shm/bench bs=1M count="$size_mib" status=none
	node=$(losetup --find --show /dev/shm/bench)
}

# run_fio LOAD OPTION…: on $node.
run_fio() {
	local options

	read -ra options <<<"${load_options[$1]}"
	shift
	fio --name=bench --filename="$node" --direct=1 --size="${size_mib}m" --allow_file_create=0 \
		--time_based --group_reporting "${options[@]}" "$@"
}
