#!/usr/bin/busybox sh
# First process of a test machine: prepares the system, runs /vm/script with its output on the second serial port,
# writes /results and the exit status as a tar onto the virtio disk and switches off.
export PATH=/usr/sbin:/usr/bin:/usr/busybox HOME=/root LANG=C.UTF-8
/usr/bin/busybox mkdir -p /usr/busybox /proc /sys /dev /tmp /run /results /root /var/tmp
/usr/bin/busybox --install -s /usr/busybox
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
mount -t tmpfs tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t bpf bpf /sys/fs/bpf
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t securityfs securityfs /sys/kernel/security
ln -s /proc/self/fd /dev/fd
modprobe -a virtio_pci virtio_blk
ip link set lo up

stty -F /dev/ttyS1 raw -echo
cd /skbspan
# dash, since this busybox prefers its own applets (ip, ping) to the real programs. Closing the port waits until the last byte is out.
/bin/sh /vm/script </dev/null >/dev/ttyS1 2>&1
echo $? >/vm/status
dmesg >/vm/dmesg
tar -cf /dev/vda -C / vm/status vm/dmesg results || echo "results do not fit on the disk"
sync
poweroff -f
