/** The text of `ndp6d status`, from a status as the daemon sends it. */
import t from 'tap'
import { StatusText, type TextOptions } from '../../src/cli/status-text.ts'
import type { Outcome } from '../../src/events.ts'
import type { LinkStatus } from '../../src/replies/links.ts'
import { type LinkState, OUTCOMES } from '../../src/replies/meanings.ts'
import type { AdvertisingStatus, HostStatus, Status } from '../../src/replies/status.ts'

const NOW = Date.parse('2026-11-20T14:02:11.000Z')
const before = (seconds: number): string => new Date(NOW - 1000 * seconds).toISOString()

function link(name: string, more: Partial<LinkStatus> = {}): LinkStatus {
  return { name, ifindex: 2, roles: ['downstream'], state: 'serving', reason: null, received: 12, lost: 0, sent: 7, unsent: 0, queued: 0, ...more }
}

function host(address: string, more: Partial<HostStatus> = {}): HostStatus {
  return { address, state: 'REACHABLE', link: 'eth1', mac: '52:54:00:a1:00:03', via: null, pinned: false, route: true, since: before(7300),
    provedAt: before(47), proof: 'answer', ...more }
}

const NONE = Object.fromEntries(Object.keys(OUTCOMES).map((outcome) => [outcome, 0])) as Record<Outcome, number>
const RELOAD = { at: before(5), verdict: 'applied', problem: null, changedOnDisk: false, since: before(60), undoAt: null } as const
const STATUS: Status = {
  version: '1.0.0', pid: 812, startedAt: before(273_700), state: 'serving', config: { file: '/etc/ndp6d.conf', appliedAt: before(60) },
  reload: { ...RELOAD, at: null, verdict: null }, findings: null, links: [link('eth0', { roles: ['upstream'] }), link('eth1')],
  subnets: [{ prefix: '2001:db8::/64', prefixes: ['2001:db8::/64'], upstream: 'eth0', downstream: ['eth1'], hosts: 1, exclude: [] }],
  proxies: [], advertising: [], forwarding: { isOn: true, isKept: false }, hosts: [host('2001:db8::2'), host('2001:db8::3', { pinned: true, proof: 'pinned', route: false })],
  unknown: { failed: 0, probing: 0 }, counters: { ...NONE, answered: 120, proof: 3 }, lastPackets: {}, limits: [{ name: 'neighbors', used: 80, size: 100 }],
}

function text(change: Partial<Status> = {}, options: TextOptions = {}): StatusText {
  return new StatusText({ ...STATUS, ...change }, { now: NOW, width: 80, ...options })
}

t.test('a healthy daemon', async (t) => {
  const { overview } = text()
  t.equal(overview.replace(/, applied .*/, ''), `ndp6d 1.0.0 is serving: process 812, running for 3d 4h

LINK  ROLE        STATE    RECEIVED  LOST  SENT  UNSENT
eth0  upstream    serving        12     0     7       0
eth1  downstream  serving        12     0     7       0

subnet 2001:db8::/64: eth0 to eth1 (1 host pinned)

forwarding: on
configuration: /etc/ndp6d.conf

2 hosts, 1 pinned, 1 host route
ADDRESS      LINK  STATE      PROOF       AGE  ROUTE  MAC
2001:db8::2  eth1  REACHABLE  answer 47s  2h   yes    52:54:00:a1:00:03
2001:db8::3  eth1  REACHABLE  pinned      2h   -      52:54:00:a1:00:03

OUTCOME   PACKETS  MEANING
answered      120  solicitations answered
proof           3  replies to probes
`)
})

t.test('what is wrong comes first', async (t) => {
  const lines = text({
    findings: [{ code: 'forwarding-off', severity: 'error', what: 'this machine does not forward IPv6', mend: 'sysctl -w net.ipv6.conf.all.forwarding=1' }],
    links: [link('eth0'), link('eth1', { state: 'down' }), link('eth7', { state: 'failed', reason: 'too many open files' }),
      ...['eth8', 'eth9'].map((name) => link(name, { state: 'waiting', ifindex: null, received: null, lost: null, sent: null, unsent: null }))],
    subnets: [{ prefix: 'auto', prefixes: [], upstream: 'eth0', downstream: ['eth9'], hosts: 0, exclude: ['2001:db8::/112'] }],
    forwarding: { isOn: false, isKept: false },
    reload: { ...RELOAD, verdict: 'refused', problem: "/etc/ndp6d.conf:4:5: a subnet block has no statement 'upsteam'" },
    limits: [{ name: 'neighbors', used: 81, size: 100 }],
  }).overview.split('\n')
  t.same(lines.slice(2, 5), ['1 finding (ndp6d doctor)', 'error    this machine does not forward IPv6 [forwarding-off]',
    '         sysctl -w net.ipv6.conf.all.forwarding=1'])
  for (const line of [/^eth1 +downstream +down /, /^eth9 +downstream +waiting +- +- +- +-$/, /^eth8, eth9: configured, but no such link exists$/,
    /^eth7: too many open files$/, /^subnet auto \(no prefix yet\): eth0 to eth9 \(1 excluded\)$/,
    /^forwarding: OFF: packets for hosts are dropped here$/, /^last reload: refused 2026-11-20 .{8}, the running configuration stays:$/,
    /^  \/etc\/ndp6d.conf:4:5: a subnet block/, /^neighbors +81 +100$/]) {
    t.ok(lines.some((each) => line.test(each)), String(line))
  }
  t.notMatch(text({ limits: [{ name: 'neighbors', used: 80, size: 100 }] }).overview, /neighbors/, 'a limit at 80 % is not shown')
  t.match(text({ forwarding: { isOn: null, isKept: false } }).overview, /forwarding: unknown/)
  t.match(text({ reload: { ...RELOAD, verdict: 'applied', problem: null } }).overview, /last reload: applied 2026/)
  t.match(text({ subnets: [{ ...STATUS.subnets[0], prefix: 'auto' }] }).overview, /^subnet auto \(2001:db8::\/64\): eth0 to eth1/m)
})

const OFFER: AdvertisingStatus = { link: 'br0', source: 'fe80::1', lastAt: before(9), routerLifetime: 1800, mtu: 1500, servers: ['fd00::53'], domains: ['example.net'],
  prefixes: [{ prefix: '2001:db8::/64', autonomous: true, valid: 86_400, preferred: 14_400 }], otherRouters: [] }

t.test('Router Advertisements', async (t) => {
  const shown = (...advertising: AdvertisingStatus[]): string => text({ advertising }, { width: 200, all: true }).overview
  t.match(shown(OFFER), /^advertised on br0: 2001:db8::\/64 \(1d 0h\), default route \(30min 0s\), MTU 1500, DNS fd00::53, search example\.net$/m)
  t.match(shown({ ...OFFER, routerLifetime: 0, mtu: null, servers: [], domains: [], prefixes: [] }), /^advertised on br0: no prefix yet, NO default route \(this machine has none: see `ip -6 route show default`, or write `default-route always`\)$/m)
  const without = (isOn: boolean | null): string => text({ advertising: [{ ...OFFER, routerLifetime: 0 }], forwarding: { isOn, isKept: false } },
    { width: 200 }).overview
  t.match(without(false), /, NO default route \(this machine does not forward: write `forwarding yes`\), MTU/)
  t.match(without(null), /, NO default route, MTU/)
  const onLink = (state: LinkState): string => text({ advertising: [OFFER], links: [link('br0', { state })] }).overview
  t.match(onLink('serving'), /^advertised on br0: /m)
  t.match(shown({ ...OFFER, source: null }), /^not advertised on br0: it has no usable link-local address$/m, 'also if it had one')
  t.match(shown({ ...OFFER, lastAt: null }), /^not advertised on br0 yet$/m)
  t.match(onLink('down'), /^not advertised on br0 \(down: no carrier, or set down\)$/m)
  t.match(onLink('failed'), /^not advertised on br0 \(failed: exists, but is not served\)$/m)
  for (const state of ['down', 'failed'] as const) t.notMatch(onLink(state), /^advertised on/m)
  t.match(shown({ ...OFFER, prefixes: [...OFFER.prefixes, { prefix: 'fd00:1::/80', autonomous: false, valid: 7200, preferred: 0 }] }),
    /, fd00:1::\/80 \(deprecated, 2h 0min, no addresses by SLAAC\), default/)
  const router = { address: 'fe80::9', mac: '02:00:00:00:00:09', lifetime: 1800, forged: false, lastAt: before(70) }
  t.match(shown({ ...OFFER, otherRouters: [router] }), /^ {2}another router: fe80::9 \(02:00:00:00:00:09\), 1min ago$/m)
  t.match(shown({ ...OFFER, otherRouters: [{ ...router, mac: null, forged: true }] }), /^ {2}another router: fe80::9, forged, 1min ago$/m)
  t.match(text({ advertising: [OFFER, OFFER, OFFER] }).overview, /^advertised on br0: [^]*,\s+DNS\s+fd00::53\n2 more: ndp6d status --all$/m)
})

/** The most of everything, with the longest words and addresses. */
const FULL: Partial<Status> = {
  findings: Array.from({ length: 9 }, (_, i) => ({ code: `finding-${i}`, severity: 'warning', mend: 'sysctl -w net.ipv6.conf.all.forwarding=1',
    what: 'the upstream eth0 is a port of a bridge with multicast snooping but without a querier, so solicitations are lost' })),
  links: Array.from({ length: 300 }, (_, i) => link(`vm-interface-${i}`.padEnd(15, 'x'), { received: 1e12, sent: 1e12,
    state: (['serving', 'waiting', 'down', 'failed', 'port'] as const)[i % 5], reason: i % 5 === 3 ? `reason ${i}` : null })),
  subnets: Array.from({ length: 50 }, () => ({ ...STATUS.subnets[0], prefix: 'auto', prefixes: Array<string>(4).fill('2001:db8:1111:2222::/64'),
    downstream: Array.from({ length: 40 }, (_, i) => `vm-interface-${i}`) })),
  proxies: [{ link: 'vm-interface-111', rules: Array(5000).fill({ prefix: '2001:db8:1111:2222::/64', kind: 'iface', links: ['eth1', 'eth2'] }) }],
  hosts: Array.from({ length: 4096 }, (_, i) => host(`2001:db8:1111:2222:3333:4444:5555:${(0x1000 + i).toString(16)}`, { via: 'fe80::1' })),
  unknown: { failed: 20_003, probing: 12_500 },
  advertising: Array.from({ length: 300 }, () => ({ ...OFFER, link: 'vm-interface-111', servers: Array<string>(8).fill('2001:db8:1111:2222:3333:4444:5555:6666'),
    domains: Array<string>(8).fill('a-long-name-of-a-subdomain.example.net'), prefixes: Array.from({ length: 16 }, () => ({ ...OFFER.prefixes[0],
      prefix: '2001:db8:1111:2222::/64' })), otherRouters: Array.from({ length: 8 }, () => ({ address: 'fe80::1111:2222:3333:4444', forged: true,
      mac: '02:00:00:00:00:09', lifetime: 1800, lastAt: before(70) })) })),
  counters: Object.fromEntries(Object.keys(OUTCOMES).map((outcome, i) => [outcome, 123_456_789 + i])) as Record<Outcome, number>,
  limits: Array.from({ length: 30 }, (_, i) => ({ name: `frames in the send queue of one link ${i}`, used: 4096, size: 4096 })),
  reload: { ...RELOAD, verdict: 'refused', problem: `/etc/ndp6d.conf:4:5: ${'a subnet block has no such statement '.repeat(3)}` },
}

t.test('the first screen has at most 60 lines of 80 columns', async (t) => {
  const began = performance.now()
  const { overview } = text(FULL)
  t.ok(performance.now() - began < 5000)
  const lines = overview.trimEnd().split('\n')
  t.ok(lines.length <= 60, `${lines.length} lines`)
  t.same(lines.filter((line) => line.length > 80), [])
  t.match(overview, /^unknown targets: 20003 FAILED, 12500 being probed$/m)
  t.match(overview, /^2001:db8:1111:2222:3333:4444:5555:1000 +eth1 /m, 'no address is cut')
  t.match(overview, /^4092 more: ndp6d status hosts$/m)
  t.match(overview, /^invalid +\d+ +listed by `ndp6d status drops`$/m)
})

t.test('everything on demand', async (t) => {
  const options = { all: true, width: Number.POSITIVE_INFINITY }
  const all = text(FULL, options)
  for (const [view, least] of [[all.overview, 9600], [all.hosts, 4098], [all.drops, 34], [all.limits, 31]] as const) {
    t.ok(view.trimEnd().split('\n').length >= least, `${view.split('\n').length} lines`)
  }
  t.match(all.hosts, /^ADDRESS .* VIA$/m)
  t.equal(text().hosts.split('\n').length, 5)
  t.match(text({ hosts: [host('2001:db8::9', { state: 'FAILED', link: null, mac: null, proof: null, route: false })] }, options).hosts,
    /^2001:db8::9 +- +FAILED +lost 47s +2h +- +-$/m)
})

t.test('reasons of drops, with the last packet', async (t) => {
  t.equal(text().drops, 'No packet was dropped or left unanswered.\n')
  const { drops } = text({ counters: { ...NONE, answered: 4, 'hop-limit': 301, 'no-rule': 17 },
    lastPackets: { 'hop-limit': { at: before(4), link: 'eth0', lladdr: '02:00:00:00:00:09', target: '2001:db8::7', frame: null } } }, { width: 200 })
  t.equal(drops, `REASON     PACKETS  MEANING                                        LAST  LINK  FROM               TARGET
no-rule         17  no rule of this link covers the target         -     -     -                  -
hop-limit      301  hop limit below 255: it came through a router  4s    eth0  02:00:00:00:00:09  2001:db8::7
`)
})

t.test('the bytes of the last packet of each reason', async (t) => {
  const last = { at: before(4), link: 'eth0', lladdr: null, target: null }
  // The headers and the target of a solicitation with hop limit 64; a frame of this machine; one that is cut.
  const solicitation = '3333ff00000202000000000186dd6000000000203a4020010db8000000000000000000000001ff0200000000000000000001ff00000287001c2700000000'
    + '20010db80000000000000000000000020101020000000001'
  const { drops } = text({ counters: { ...NONE, 'hop-limit': 1, 'own-frame': 2, 'truncated': 3, 'length': 1, 'option-length': 1, 'no-rule': 4 }, lastPackets: {
    'no-rule': { ...last, frame: null },
    'own-frame': { ...last, frame: { hex: '0102030405', length: 5, wrongAt: null } },
    'hop-limit': { ...last, frame: { hex: solicitation, length: 86, wrongAt: 21 } },
    'truncated': { ...last, frame: { hex: solicitation.slice(0, 124), length: 62, wrongAt: 62 } },
    'length': { ...last, frame: { hex: 'cd'.repeat(128), length: 400, wrongAt: null } },
    'option-length': { ...last, frame: { hex: 'ab'.repeat(128), length: 200, wrongAt: 15 } },
  } })
  t.same(drops.split('\n').slice(8).join('\n').split('\n\n').map((part) => part.split('\n').slice(0, 4).join('\n')), [
    `last own-frame packet: 5 bytes
   0  01 02 03 04 05`,
    `last truncated packet: 62 bytes, byte 62 is missing
   0  33 33 ff 00 00 02 02 00 00 00 00 01 86 dd 60 00
  16  00 00 00 20 3a 40 20 01 0d b8 00 00 00 00 00 00
  32  00 00 00 00 00 01 ff 02 00 00 00 00 00 00 00 00`,
    `last length packet: 400 bytes, 128 shown
   0  cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd
  16  cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd
  32  cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd cd`,
    `last hop-limit packet: 86 bytes, wrong at byte 21
   0  33 33 ff 00 00 02 02 00 00 00 00 01 86 dd 60 00
  16  00 00 00 20 3a[40]20 01 0d b8 00 00 00 00 00 00
  32  00 00 00 00 00 01 ff 02 00 00 00 00 00 00 00 00`,
    `last option-length packet: 200 bytes, 128 shown, wrong at byte 15
   0  ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab[ab]
  16  ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab
  32  ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab`,
  ])
  t.same(drops.split('\n').filter((line) => line.length > 80), [])
})

t.test('every meaning fits beside its counter', async (t) => {
  const { drops } = text(FULL, { all: true })
  t.match(drops.split('\n')[0], /MEANING$/)
  t.same(drops.split('\n').filter((line) => line.length > 80), [])
})

t.test('colors', async (t) => {
  const { overview } = text({ links: [link('eth0'), link('eth1', { state: 'failed' })] }, { color: (color, word) => `<${color} ${word}>` })
  t.match(overview, /is <green serving>:/)
  t.match(overview, /eth1 {2}downstream {2}<red failed >/)
  t.match(overview, /<green REACHABLE>/)
  t.match(overview, /^<bold LINK>/m)
})

t.test('control characters of names are replaced', async (t) => {
  t.match(text({ links: [link('e\u001b[1m')] }).overview, /^e\?\[1m /m)
})
