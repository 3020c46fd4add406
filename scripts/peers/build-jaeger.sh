#!/bin/sh
# Builds Jaeger v2, for the tests in test/peers, into .cache/jaeger-VERSION/jaeger (120 MB). Does nothing if it is there.
#
# Jaeger's Go module holds the whole program (v1.76.0 is Jaeger 2.13), so Go's module proxy is all it takes; the UI's pages
# are not in the module, the API is. The first build takes minutes and leaves up to 4 GB in Go's own caches, which
# `go clean -cache -modcache` empties.
#
# Jaeger needs a newer Go than Debian has. That comes as a Go module too, which any Go can download and verify.
set -eu
cd "$(dirname "$0")/../.."
. scripts/say.sh

jaeger_version=1.76.0
go_version=1.24.6
folder=$PWD/.cache/jaeger-$jaeger_version
if [ -x "$folder/jaeger" ]; then
  step JAEGER "$jaeger_version is in .cache"
  exit 0
fi

mkdir -p .cache
work=$(mktemp -d "$PWD/.cache/jaeger-build.XXXXXX")
cleanup() {
  # Files of Go modules are read-only.
  chmod -R u+w "$work"
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# module_dir MODULE@VERSION - downloads a Go module and prints its folder.
module_dir() {
  (cd "$work" && "$go" mod download -json "$1") >"$work/module.json" || {
    cat "$work/module.json" >&2
    fail "Go cannot download $1 (see above)." 'Check the network and the settings of Go (go env GOPROXY GOSUMDB), then run this again.'
  }
  sed -n 's/^[[:space:]]*"Dir": "\(.*\)",\{0,1\}$/\1/p' "$work/module.json"
}

go=$(command -v go || true)
if [ -z "$go" ] && [ -x /usr/local/go/bin/go ]; then go=/usr/local/go/bin/go; fi
if [ -z "$go" ]; then
  advice='Install Go 1.19 or newer (Debian: apt-get install golang-go), then run this again.'
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then fail 'Go is not installed; Jaeger is built with it.' "$advice"; fi
  step APT golang-go
  quietly env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 install -y --no-install-recommends golang-go ||
    fail 'apt-get cannot install golang-go (see above).' "$advice"
  go=$(command -v go)
fi

have=$(cd "$work" && "$go" env GOVERSION)
if [ "$(printf '%s\n' "go$go_version" "$have" | sort -V | head -n 1)" != "go$go_version" ]; then
  toolchain=$PWD/.cache/go-$go_version
  if [ ! -x "$toolchain/bin/go" ]; then
    case $(uname -m) in
      x86_64) arch=amd64 ;;
      aarch64) arch=arm64 ;;
      *) fail "there is no Go $go_version for $(uname -m)." 'Use a machine with x86-64 or arm64.' ;;
    esac
    step GO "$go_version (this machine has ${have#go})"
    dir=$(module_dir "golang.org/toolchain@v0.0.1-go$go_version.linux-$arch")
    cp -R "$dir" "$work/go"
    # A module keeps neither modes nor nested go.mod files; the go command itself mends that when it switches toolchains.
    chmod -R u+w "$work/go"
    chmod -R +x "$work/go/bin" "$work/go/pkg/tool"
    find "$work/go/src" -name _go.mod | while read -r file; do mv "$file" "${file%_go.mod}go.mod"; done
    rm -rf "$toolchain"
    mv "$work/go" "$toolchain"
  fi
  go=$toolchain/bin/go
  unset GOROOT
fi

step JAEGER "$jaeger_version: download"
source=$(module_dir "github.com/jaegertracing/jaeger@v$jaeger_version")
step JAEGER "$jaeger_version: build, some minutes the first time"
mkdir "$work/out"
(cd "$source" && quietly "$go" build -o "$work/out/jaeger" ./cmd/jaeger) ||
  fail 'Jaeger does not build (see above).' 'It needs about 4 GB in the file systems of go env GOCACHE GOMODCACHE.'
"$work/out/jaeger" version >/dev/null 2>&1 || fail 'the built Jaeger does not start.' 'Run this again with an empty .cache.'
rm -rf "$folder"
mv "$work/out" "$folder"
