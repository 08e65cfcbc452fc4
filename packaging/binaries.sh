#!/usr/bin/env bash
# Builds the native code of the packages into dist/prebuilds: our addon, which any Node can load, and raw-socket once for each
# Node of `engines`, with the headers that node.sh fetches.
#
#   npm run binaries [-- ARCH]      ARCH as Node names it: another one than this machine's (arm64) needs its g++
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(node -p process.arch)
arch=${1:-$host}
out=$PWD/dist/prebuilds/linux-$arch
strip=strip
if [ "$arch" != "$host" ]; then
  case $arch in arm64) prefix=aarch64-linux-gnu ;; x64) prefix=x86_64-linux-gnu ;; *) echo "no cross compiler is known for $arch" >&2; exit 1 ;; esac
  export CC=$prefix-gcc CXX=$prefix-g++
  strip=$prefix-strip
fi

# compile DIRECTORY NODE FILE: builds a copy of the sources, and puts the binary into FILE.
compile() {
  # The variable has precedence over the option.
  npm_config_nodedir=$PWD/build/node/$2 node-gyp --silent -C "$1" --arch="$arch" rebuild >"$1.log" 2>&1 || { cat "$1.log" >&2; return 1; }
  mkdir -p "$(dirname "$3")"
  "$strip" --strip-unneeded -o "$3" "$1"/build/Release/*.node
  rm -r "$1" "$1.log"
}

raw_socket() {
  local abi source=node_modules/raw-socket target work
  abi=$("build/node/$1/bin/node" -p process.versions.modules)
  target=$out/raw-socket-abi$abi
  cmp -s "$source/package.json" "$target/package.json" && return
  rm -rf "$target"
  work=build/raw-socket-$arch-abi$abi
  rm -rf "$work"
  mkdir "$work"
  cp -r "$source"/{binding.gyp,src} "$work"
  compile "$work" "$1" "$target/build/Release/raw.node"
  cp "$source"/index.js "$target"
  if [ "$arch" = "$host" ]; then "build/node/$1/bin/node" -e 'require(process.argv[1])' "$target/build/Release/raw.node"; fi
  # The last file marks the build as complete.
  cp "$source/package.json" "$target"
}

addon() {
  local work=build/addon-$arch
  [ -e "$out/ndp6d.node" ] && [ -z "$(find native binding.gyp -newer "$out/ndp6d.node")" ] && return
  rm -rf "$work"
  mkdir "$work"
  cp -r binding.gyp native "$work"
  compile "$work" "$1" "$out/ndp6d.node"
}

read -ra majors < <(node -p 'require("./package.json").engines.node.split("||").map((range) => /\d+/.exec(range)[0]).join(" ")')
packaging/node.sh "${majors[@]}"
addon "${majors[0]}" &
jobs=1
for major in "${majors[@]}"; do
  if [ $((jobs++)) -ge "$(nproc)" ]; then wait -n; fi
  raw_socket "$major" &
done
# `wait -n` ends with the status of the job that ended.
while [ "$(jobs -p)" ]; do wait -n; done
