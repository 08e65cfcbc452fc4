/** `ndp6d init`: the whole text for machines of several kinds. Each run has an /etc of its own. */
import t from 'tap'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { command, type Ended, run, writeFiles } from '../fixtures/program.ts'

await ownNamespace()

const ENTRY = 'ip -6 neigh add proxy'
const HEAD = '# Made by `ndp6d init` from the links, addresses, routes and neighbors of this machine:\n'
const FORWARDING = '\n# Packets for the hosts pass this machine; the default route of router advertisements is kept.\nforwarding yes\n'
const NOTHING = '# Kernel proxy entries: 0; entries in boot scripts: 0; /etc/ndppd.conf: none.\n'
/** A server of a hoster. */
const SERVER = ['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/64 dev eth0 nodad', 'route add default via 2001:db8::1 dev eth0']
const GUESTS = ['link add eth1 type bridge', 'link set eth1 up']

t.test('without ip(8), and if it fails', async (t) => {
  for (const [script, sentence] of [
    [undefined, 'without ip(8): `apt install iproute2`'],
    ['echo "Cannot open netlink socket: Permission denied" >&2; exit 1',
      'because `ip -j -d link show` fails (Cannot open netlink socket: Permission denied): mend that, and run this again'],
    ['case "$*" in *address*) exit 255 ;; *) echo [] ;; esac', 'because `ip -j -6 address show` fails (status 255): mend that, and run this again'],
    ['echo "1: lo: <LOOPBACK>"', 'because `ip -j -d link show` prints no table in JSON: install the ip(8) of iproute2 (`apt install iproute2`)'],
  ] as const) {
    const bin = writeFiles({ 'bin/readme': '', ...script !== undefined && { 'bin/ip': `#!/bin/sh\n${script}\n` } })
    t.teardown(bin.close)
    if (script !== undefined) sh(`chmod 755 ${bin.path('bin/ip')}`)
    // /usr/sbin is searched as well.
    const hide = script === undefined ? 'mount -t tmpfs tmpfs /usr/sbin; mount -t tmpfs tmpfs /sbin;' : ''
    const { status, stderr } = run(['unshare', '-m', 'sh', '-c', `${hide} PATH=$0 exec "$@"`, bin.path('bin'), ...command('init', bin.path('new.conf'))])
    t.equal(status, 1)
    t.equal(stderr, `ndp6d: cannot look at this machine ${sentence}\n`)
  }
})

/** Removes all links, runs these commands of ip(8), and then `ndp6d init` with these files of /etc. */
function machine(commands: readonly string[], etc: Readonly<Record<string, string>> = {}): { init: (...args: string[]) => Ended; path: (name: string) => string } {
  sh(`for link in $(ls /proc/sys/net/ipv6/conf | grep -E '^(eth|vmtap|tun)'); do echo link del $link; done | ip -batch -`)
  sh(`ip -6 -batch - <<'END'\n${commands.join('\n')}\nEND`)
  const files = writeFiles({ 'etc/hosts': '', ...Object.fromEntries(Object.entries(etc).map(([name, text]) => [`etc/${name}`, text])) })
  t.teardown(files.close)
  const within = (...args: string[]): Ended => run(['unshare', '-m', 'sh', '-ec', 'mount --bind "$0" /etc; exec "$@"', files.path('etc'), ...command(...args)],
    { NODE_EXTRA_CA_CERTS: '' })
  const init = (...args: string[]): Ended => {
    const ended = within('init', ...args)
    if (ended.stdout !== '') {
      writeFileSync(files.path('etc/made.conf'), ended.stdout)
      const check = within('check', '/etc/made.conf')
      t.equal(check.status === 0 || ended.status === 1, true, check.stderr)
      t.notMatch(check.stderr, /no link/)
    }
    return ended
  }
  return { init, path: (name) => files.path(`etc/${name}`) }
}

t.test('no link is up', async (t) => {
  t.match(machine(['link add eth0 type bridge']).init(), { status: 1, stdout: '',
    stderr: 'ndp6d: no link is up besides lo: bring up the link of the router (`ip link set IFACE up`), and run this again\n' })
})

t.test('one other link', async (t) => {
  const { status, stdout, stderr } = machine([...SERVER, ...GUESTS]).init()
  t.equal(stdout, `${HEAD}#   eth0  2001:db8::ff/64  -> upstream (default route via 2001:db8::1)
#   eth1  no address       -> downstream (the only other link)
${NOTHING}${FORWARDING}
subnet 2001:db8::/64 {
    upstream   eth0
    downstream eth1
    host 2001:db8::1 eth0        # the default gateway
    # router-advertisements yes  # guests then need no setting
}
`)
  t.equal(stderr, 'ndp6d: to save this: `ndp6d init --write`\n')
  t.equal(status, 0)
})

t.test('a /64 that is split', async (t) => {
  const { status, stdout } = machine(['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/80 dev eth0 nodad',
    'route add default via fe80::1 dev eth0', ...GUESTS, 'addr add 2001:db8:0:0:1::1/80 dev eth1 nodad']).init()
  t.equal(status, 1)
  t.match(stdout, '# DECIDE: eth1 has 2001:db8::1:0:0:1, outside of 2001:db8::/80: if the router has 2001:db8::/64 on its link, write that, '
    + 'with all of their links as downstream.')
  const two = machine(['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/80 dev eth0 nodad', 'addr add 2001:db8:0:0:2::ff/80 dev eth0 nodad',
    'route add default via fe80::1 dev eth0', ...GUESTS, 'addr add 2001:db8:0:0:1::1/80 dev eth1 nodad']).init()
  t.same(two.stdout.match(/eth1 has .* of .*: if the router/g), ['eth1 has 2001:db8::1:0:0:1, outside of 2001:db8:0:0:2::/80 and 2001:db8::/80: if the router'])
})

t.test('a drop-in of systemd.network(5)', async (t) => {
  const { stdout } = machine([...SERVER, ...GUESTS], { 'systemd/network/10-wan.network': '[Match]\nName=eth0\n',
    'systemd/network/10-wan.network.d/x.conf': '[Network]\nIPv6ProxyNDPAddress=2001:db8::4\n' }).init()
  t.match(stdout, '    host 2001:db8::4 eth1        # from: /etc/systemd/network/10-wan.network.d/x.conf:2\n')
})

t.test('proxy entries of the kernel and of boot scripts', async (t) => {
  const { stdout } = machine([...SERVER, ...GUESTS, 'link add eth2 type bridge', 'link set eth2 up', 'route add 2001:db8::2 dev eth1',
    'route add 2001:db8:9::5 dev eth1', 'neigh add proxy 2001:db8::2 dev eth0', 'neigh add proxy 2001:db8::1 dev eth1',
    'neigh add proxy 2001:db8:9::5 dev eth0'], {
    'network/interfaces': `iface eth0 inet6 static\n  up ${ENTRY} 2001:db8::3 dev $IFACE\n`, 'rc.local': `#!/bin/sh\n${ENTRY} 2001:db8::$N dev eth0\n`,
    'systemd/network/10-wan.network': '[Match]\nName=eth0\n[Network]\nIPv6ProxyNDPAddress=2001:db8::4\n',
  }).init()
  const lines = stdout.split('\n')
  // The order of the kernel's table is not fixed.
  for (const entry of ['2001:db8::2 dev eth0', '2001:db8::1 dev eth1', '2001:db8:9::5 dev eth0']) t.ok(lines.includes(`#   ip -6 neigh del proxy ${entry}`))
  t.equal(lines.filter((line) => !line.includes('neigh del')).join('\n'), `${HEAD}#   eth0  2001:db8::ff/64  -> upstream (default route via 2001:db8::1)
#   eth1  no address       -> downstream (route to 2001:db8::2/128, proxy entry for an upstream address)
# Kernel proxy entries: 3; entries in boot scripts: 2; /etc/ndppd.conf: none.
# ndp6d replaces these, so remove them before it starts:
#   /etc/network/interfaces:2: the proxy entry of 2001:db8::3 on eth0
#   /etc/systemd/network/10-wan.network:4: the proxy entry of 2001:db8::4 on eth0
# These lines may set proxy entries too, but only a shell can read them:
#   /etc/rc.local:2: ip -6 neigh add proxy 2001:db8::$N dev eth0
${FORWARDING}
subnet 2001:db8::/64 {
    upstream   eth0
    downstream eth1
    host 2001:db8::1 eth0        # the default gateway
    host 2001:db8::2 eth1        # from: ip -6 neigh add proxy 2001:db8::2 dev eth0
    host 2001:db8::3 eth1        # from: /etc/network/interfaces:2
    host 2001:db8::4 eth1        # from: /etc/systemd/network/10-wan.network:4
    # router-advertisements yes  # guests then need no setting
}

proxy eth0 {
    rule 2001:db8:9::5/128 { iface eth1 }  # from: ip -6 neigh add proxy 2001:db8:9::5 dev eth0
}
`)
})

t.test('it cannot decide: status 1, with the choice as a comment', async (t) => {
  const two = machine([...SERVER, ...GUESTS, 'link add eth2 type bridge', 'link set eth2 up']).init('--write')
  t.equal(two.status, 1)
  t.match(two.stdout, '# DECIDE: no route or neighbor shows which link has the hosts: choose among eth1, eth2.\n')
  t.match(two.stdout, '    downstream eth1              # or: eth2\n')
  t.equal(two.stderr, 'ndp6d: cannot decide: no route or neighbor shows which link has the hosts: choose among eth1, eth2. Nothing was written: '
    + 'save the text as /etc/ndp6d.conf, edit the lines marked DECIDE, then `ndp6d check`\n')
  const none = machine(SERVER).init()
  t.match(none, { status: 1, stdout: /DECIDE: no link has hosts.*\n {4}# downstream IFACE\n/s, stderr: /^ndp6d: cannot decide: no link has hosts/ })
  const upstreams = machine([...SERVER.slice(0, 3), ...GUESTS, 'addr add 2001:db8:7::1/64 dev eth1 nodad']).init()
  t.match(upstreams, { status: 1, stdout: '# DECIDE: the upstream may also be eth1: choose the link of the router' })
  const length = machine(['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/128 dev eth0 nodad', 'route add fe80::9 dev eth0',
    'route add default via fe80::9 dev eth0', ...GUESTS]).init()
  t.match(length, { status: 1, stdout: /DECIDE: no route shows the length of 2001:db8::\/64, the \/64 of 2001:db8::ff: .*subnet 2001:db8::\/64 \{/s })
})

t.test('the rest of the prefix is unreachable', async (t) => {
  const { status, stdout } = machine(['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/128 dev eth0 nodad', 'route add 2001:db8::1 dev eth0',
    'route add default via 2001:db8::1 dev eth0', 'route add unreachable 2001:db8::/56', ...GUESTS]).init()
  t.match(stdout, /^subnet 2001:db8::\/56 \{$/m)
  t.equal(status, 0)
})

t.test('a prefix of router advertisements, and taps of guests', async (t) => {
  const { status, stdout } = machine(['link add eth0 type bridge', 'link set eth0 up', 'addr add 2001:db8::ff/64 dev eth0 nodad valid_lft 900 preferred_lft 900',
    'route add default via fe80::1 dev eth0', ...[1, 2, 12].flatMap((n) => [`tuntap add vmtap${n} mode tap`, `link set vmtap${n} up`,
      `route add 2001:db8::${n} dev vmtap${n}`])]).init()
  t.match(stdout, 'subnet auto {\n    # the prefix of router advertisements, now 2001:db8::/64\n    upstream   eth0\n    downstream vmtap*\n'
    + '    # router-advertisements yes  # guests then need no setting\n}\n')
  t.equal(status, 0)
})

t.test('a tunnel has pinned hosts', async (t) => {
  const { status, stdout } = machine([...SERVER, 'tuntap add tun0 mode tun', 'link set tun0 up', 'route add 2001:db8::cafe:20 dev tun0']).init()
  t.match(stdout, '    downstream tun0\n    host 2001:db8::1 eth0        # the default gateway\n'
    + '    host 2001:db8::cafe:20 tun0  # route to tun0, where a peer may answer no probe\n}\n')
  t.equal(status, 0)
})

t.test('/etc/ndppd.conf', async (t) => {
  const guests = machine([...SERVER, ...GUESTS], { 'ndppd.conf': 'proxy eth0 {\n  router no\n  ttl 10000\n  rule 2001:db8::/64 { iface eth1 }\n'
    + '  rule 2001:db8::5 { iface eth1 }\n  rule 2001:db8:7::/112 { static }\n}\n' }).init()
  t.match(guests.stdout, `subnet 2001:db8::/64 {
    upstream   eth0
    downstream eth1
    router no                    # from /etc/ndppd.conf
    ttl 10000                    # from /etc/ndppd.conf
    deadtime 10000               # from /etc/ndppd.conf
    host 2001:db8::1 eth0        # the default gateway
    host 2001:db8::5 eth1        # from: /etc/ndppd.conf
    # router-advertisements yes  # guests then need no setting
}

proxy eth0 {
    router no
    ttl 10000
    deadtime 10000
    rule 2001:db8:7::/112 { static }  # from /etc/ndppd.conf
}
`)
  t.match(guests.stdout, '#   systemctl disable --now ndppd\n')
  t.equal(guests.status, 0)
  const pool = machine([...SERVER, 'route add local 2001:db8::/64 dev lo'], {}).init()
  t.match(pool, { status: 0, stdout: 'proxy eth0 {\n    router no\n    rule 2001:db8::/64 { static }  # a local route: this machine uses the whole prefix itself\n}\n' })
  t.notMatch(pool.stdout, /subnet /)
  const broken = machine([...SERVER, ...GUESTS], { 'ndppd.conf': 'proxy eth0 {\n  rule banana { static }\n}\n' }).init()
  t.match(broken, { status: 1, stdout: '# DECIDE: /etc/ndppd.conf has an error and was not used: /etc/ndppd.conf:2:8: error: `banana` is not an IPv6 address' })
})

t.test('--write', async (t) => {
  const { init, path } = machine([...SERVER, ...GUESTS])
  sh('umask 077')
  const { status, stdout, stderr } = init('--write')
  t.equal(status, 0)
  t.equal(stdout, '')
  t.equal(stderr, 'ndp6d: wrote /etc/ndp6d.conf. Read it, then `ndp6d check`. Start: `systemctl enable --now ndp6d`\n')
  const text = readFileSync(path('ndp6d.conf'), 'utf8')
  t.equal(text, init().stdout)
  t.equal(statSync(path('ndp6d.conf')).mode & 0o777, 0o644, 'the service can read it')
  writeFileSync(path('ndp6d.conf'), 'mine')
  t.match(init('--write'), { status: 1, stdout: '', stderr: 'ndp6d: /etc/ndp6d.conf exists and is not overwritten: ' })
  t.equal(readFileSync(path('ndp6d.conf'), 'utf8'), 'mine')
  t.match(init('--write', '/etc/other.conf'), { status: 0, stderr: 'wrote /etc/other.conf. Read it, then `ndp6d check /etc/other.conf`. Start: `ndp6d --config /etc/other.conf`' })
  t.match(init('--write', '/etc/none/x.conf'), { status: 1, stderr: 'ndp6d: cannot write /etc/none/x.conf: ENOENT' })
  mkdirSync(path('locked'), { mode: 0o500 })
  const plain = run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('init', '--write', path('locked/x.conf'))])
  t.match(plain, { status: 4, stderr: `not permitted to write ${path('locked/x.conf')}: run this as root` })
  const readOnly = run(['unshare', '-m', 'sh', '-c', 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"', path('.'),
    ...command('init', '--write', path('new.conf'))])
  t.match(readOnly, { status: 4, stderr: /new\.conf: its file system is read-only\. Make it writable/ }, 'not a matter of permission')
})
