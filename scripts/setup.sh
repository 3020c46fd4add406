#!/bin/sh
# Makes a fresh Debian machine ready, then builds the BPF object.
#   scripts/setup.sh [start|test]     start (default): what `npm start` needs; test: what `npm test` needs as well
# Looks first and installs only what is missing; everything that would stop it halfway is checked before the first change.
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

start_packages='clang llvm libbpf1 libbpf-dev libpcap0.8 iproute2 iputils-ping nftables'
test_packages='qemu-system-x86 busybox-static cpio zstd xz-utils kmod bpftool tcpdump tshark iperf3 curl ethtool iptables clang-format'

case ${1:-start} in
  start) packages=$start_packages ;;
  test) packages="$start_packages $test_packages" ;;
  *) fail "unknown set-up '$1'." 'Usage: scripts/setup.sh [start|test]' ;;
esac

# What the machine must have.
case $(uname -m) in
  x86_64 | aarch64) ;;
  *) fail "$(uname -m) is not supported." 'Use a machine with x86-64 or arm64.' ;;
esac
[ "$(id -u)" = 0 ] || fail 'root is needed, to install packages and to load BPF programs.' \
  'Run it as root, for example: sudo npm start'
command -v apt-get >/dev/null || fail 'there is no apt-get on this machine.' \
  "Use Debian 12 or newer, or install the equivalents of these and run node src/cli/main.ts yourself: $packages"
[ -r /sys/kernel/btf/vmlinux ] || fail '/sys/kernel/btf/vmlinux is missing: this kernel has no type information (BTF).' \
  'Boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (every Debian kernel since 11 is), and mount /sys in containers.'
command -v npm >/dev/null || fail 'npm is not installed.' 'Install Node.js 20 or newer together with npm.'

# Packages of the system.
missing=
for package in $packages; do
  dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing="$missing $package"
done
if [ -n "$missing" ]; then
  export DEBIAN_FRONTEND=noninteractive
  step APT 'package lists'
  quietly apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update ||
    fail 'apt-get update failed (see above).' 'Check the network and the sources in /etc/apt, then run this again.'
  step APT "${missing# }"
  # shellcheck disable=SC2086 # a list of words
  quietly apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y --no-install-recommends $missing ||
    fail 'apt-get install failed (see above).' 'Repair the package system (apt-get -f install), then run this again.'
fi

# Packages of Node, Node 24 itself among them. The stamp holds what was installed: the lock file and the machine.
stamp=node_modules/.skbspan-stamp
want="$(sha256sum <package-lock.json) $(uname -m)"
if [ "$(cat "$stamp" 2>/dev/null)" != "$want" ]; then
  step NPM 'packages of package-lock.json'
  quietly npm ci || fail 'npm ci failed (see above).' 'Check the network and the registry that npm uses, then run this again.'
  printf '%s\n' "$want" >"$stamp"
fi

sh scripts/build-bpf.sh
