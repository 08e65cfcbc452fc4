#!/bin/sh
# A systemd to throw away: PID 1 of namespaces of its own, on a copy-on-write view of the machine's own root.
#
#   unshare -n systemd-lab.sh [SOURCE:TARGET...]
#
# Prints `pid PID` and stays until it gets a signal or systemd ends; enter with `nsenter -t PID -a COMMAND`. Each SOURCE
# is shown inside, read-only, at TARGET (neither of them below /run). Its network is the namespace that the caller is in.
# Nothing is written to disk, and nothing that runs inside outlives this program, even after SIGKILL; that alone leaves
# an empty cgroup. The machine need not run systemd itself, only have the package. Needs root, overlayfs and cgroup2.
# namespaces(7), cgroups(7), pivot_root(2), systemd.io/CONTAINER_INTERFACE.
set -eu

die() { echo "systemd-lab: $*" >&2; exit 1; }

# Step 2, in a mount namespace of its own: a cgroup for the inside, which this shell takes away again at the end.
hold() {
  mount -t tmpfs -o mode=0755 lab /run
  mkdir /run/cgroup
  mount -t cgroup2 cgroup2 /run/cgroup || die 'this machine lends no cgroups'
  cgroup=/run/cgroup/ndp6d-lab.$$
  mkdir "$cgroup"
  (
    echo 0 >"$cgroup/cgroup.procs"
    exec setpriv --pdeathsig KILL \
      unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh "$0" boot "$@"
  ) &
  trap 'kill -KILL $! 2>/dev/null || :' INT TERM HUP
  status=0
  wait $! || status=$?
  wait $! 2>/dev/null || :
  # What runs inside takes a moment to die, and the cgroups below are systemd's.
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null && break
    sleep 0.1
  done
  exit "$status"
}

# Step 3, PID 1 of all the namespaces: builds a root and becomes systemd in it.
boot() {
  umask 022
  read -r pid _ </proc/self/stat     # /proc is still the old one, so this is our number outside
  ip link set lo up
  cd /run
  mkdir upper work root
  mount -t overlay -o lowerdir=/,upperdir=upper,workdir=work overlay root

  # The kernel's own trees. Of the settings only the network's can be written, and they are this namespace's.
  mount -t proc proc root/proc
  mount --bind root/proc/sys root/proc/sys
  mount --bind root/proc/sys/net root/proc/sys/net
  mount -o remount,bind,ro root/proc/sys
  mount -t sysfs -o ro sysfs root/sys
  mount -t cgroup2 cgroup2 root/sys/fs/cgroup

  mount -t tmpfs -o mode=0755 dev root/dev
  mkdir root/dev/pts root/dev/shm
  for node in null zero full random urandom tty; do
    : >"root/dev/$node"
    mount --bind "/dev/$node" "root/dev/$node"
  done
  ln -s /proc/self/fd root/dev/fd
  mount -t devpts -o newinstance,ptmxmode=0666 devpts root/dev/pts
  ln -s pts/ptmx root/dev/ptmx
  mount -t tmpfs -o mode=1777 tmp root/tmp
  mount -t tmpfs -o mode=1777 shm root/dev/shm
  mount -t tmpfs -o mode=0755 run root/run

  # Only what a service stands on: nothing that the machine has enabled, nothing about hardware, users or the clock.
  units=root/etc/systemd/system
  mkdir -p "$units" root/etc/systemd/journald.conf.d
  mount -t tmpfs -o mode=0755 units "$units"
  printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >"$units/lab.target"
  for unit in dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount modprobe@.service proc-sys-fs-binfmt_misc.automount systemd-ask-password-console.path \
    systemd-ask-password-wall.path systemd-binfmt.service systemd-boot-random-seed.service systemd-firstboot.service \
    systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-journald-audit.socket \
    systemd-machine-id-commit.service systemd-modules-load.service systemd-network-generator.service \
    systemd-pstore.service systemd-random-seed.service systemd-sysctl.service systemd-sysusers.service \
    systemd-timesyncd.service systemd-tpm2-setup.service systemd-tpm2-setup-early.service systemd-udevd.service \
    systemd-update-done.service systemd-update-utmp.service; do
    ln -s /dev/null "$units/$unit"
  done
  printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitBurst=0\n' >root/etc/systemd/journald.conf.d/lab.conf
  printf '%032x\n' 6 >root/etc/machine-id
  : >root/etc/fstab

  for bind; do
    target=root${bind#*:}
    if [ -d "${bind%%:*}" ]; then mkdir -p "$target"; else mkdir -p "${target%/*}"; : >"$target"; fi
    mount --bind "${bind%%:*}" "$target"
    mount -o remount,bind,ro "$target"
  done

  cd root
  mkdir run/outside
  pivot_root . run/outside
  umount -l /run/outside
  rmdir /run/outside
  echo "pid $pid"
  exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --system --unit=lab.target --log-target=journal --show-status=no </dev/null
}

case ${1-} in
  boot | hold) step=$1; shift; "$step" "$@" ;;
  *) exec unshare --mount sh "$0" hold "$@" ;;
esac
