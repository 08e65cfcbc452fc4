#!/usr/bin/env bash
# Fetches some versions of Node with their headers, from the package node-linux-ARCH, into build/node/MAJOR, unless they are there.
#
#   packaging/node.sh MAJOR...
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/node
arch=$(node -p process.arch)

fetch() {
  local unpacked
  unpacked=$(mktemp -d "build/node/.$1.XXXXXX")
  (cd "$unpacked" && npm pack --silent "node-linux-$arch@$1" >/dev/null && tar -xzf ./*.tgz package/bin/node package/include)
  rm -rf "build/node/$1"
  mv "$unpacked/package" "build/node/$1"
  rm -r "$unpacked"
}

jobs=()
for major; do
  if [ ! -e "build/node/$major/bin/node" ]; then
    fetch "$major" &
    jobs+=($!)
  fi
done
for job in "${jobs[@]}"; do wait "$job"; done
