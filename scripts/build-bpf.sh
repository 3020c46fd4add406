#!/bin/sh
# Builds build/*.bpf.o from bpf/*.bpf.c: objects for all kernels, with BTF and CO-RE relocations.
# Does nothing when they are newer than every source. Needs clang, llvm and libbpf-dev (scripts/setup.sh installs them).
#   scripts/build-bpf.sh [FOLDER [CLANG OPTION...]]     another folder than build/
set -eu
cd "$(dirname "$0")/.."
. scripts/say.sh

folder=${1:-build}
[ $# -eq 0 ] || shift

case $(uname -m) in
  x86_64) arch=x86 ;;
  aarch64) arch=arm64 ;;
  *) fail "the BPF programs are built for x86-64 and arm64, not for $(uname -m)." \
    "Build on one of these machines and copy build/*.bpf.o." ;;
esac
for tool in clang llvm-strip; do
  command -v "$tool" >/dev/null || fail "$tool is not installed." "Run: npm run setup"
done

# <asm/types.h> lives in a folder per architecture, which clang does not look into for -target bpf.
#   build NAME SOURCE [CLANG OPTION...]
build() {
  name=$1
  source=$2
  shift 2
  object=$folder/$name.bpf.o
  newer=$(find bpf scripts/build-bpf.sh -newer "$object" ! -type d 2>/dev/null || echo all)
  if [ -f "$object" ] && [ -z "$newer" ]; then
    return
  fi
  building=$object.$$
  trap 'rm -f "$building"' EXIT
  step BPF "$(basename "$object")"
  clang -g -O2 -Wall -Werror -target bpf -mcpu=v3 "-D__TARGET_ARCH_$arch" \
    -idirafter "/usr/include/$(uname -m)-linux-gnu" "$@" -c "bpf/$source.bpf.c" -o "$building"
  # Drops DWARF; .BTF and .BTF.ext stay.
  llvm-strip -g "$building"
  # Renamed at the end: whoever reads the object sees the old one or the new one, never a half.
  mv "$building" "$object"
}

mkdir -p "$folder"
build skbspan skbspan "$@"
# For kernels that let a program read their memory in place (bpf/skb.h).
build skbspan-direct skbspan -DSKB_DIRECT=1 "$@"
build programs programs "$@"
