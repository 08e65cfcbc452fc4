#!/usr/bin/env bash
# Builds dist/ndp6d_VERSION_ARCH.deb with debhelper, from the files of the npm archive and debian/.
#
#   npm run deb [-- ARCH]           ARCH as Node names it, see binaries.sh
set -euo pipefail
cd "$(dirname "$0")/.."

type dh dpkg-buildpackage >/dev/null 2>&1 || { echo 'deb.sh: the tools of Debian packages are missing: apt install debhelper dpkg-dev' >&2; exit 1; }
arch=${1:-$(node -p process.arch)}
packaging/binaries.sh "$arch"

work=build/deb
rm -rf "$work"
mkdir -p "$work/ndp6d"
npm pack --silent --ignore-scripts --pack-destination "$work" >/dev/null
tar -xzf "$work"/*.tgz -C "$work/ndp6d" --strip-components=1
cp -r debian "$work/ndp6d"
cd "$work/ndp6d"

version=$(node -p 'require("./package.json").version')
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH
cat >debian/changelog <<END
ndp6d ($version) unstable; urgency=medium

  * See CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' debian/control)  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
END
dpkg-buildpackage --build=binary --no-sign --no-check-builddeps --host-arch "${arch/#x64/amd64}" >../log 2>&1 || { cat ../log >&2; exit 1; }
cd ../../..
mv "$work"/ndp6d_*.deb dist
ls dist/ndp6d_"$version"_*.deb
