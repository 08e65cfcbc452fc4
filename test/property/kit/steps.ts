/** Random sequences of what an engine receives: frames, inputs, changes of links and of the configuration, waiting. */
import fc from 'fast-check'
import { configOf, ip, mac } from '../../engine/kit/stage.ts'
import type { Input, SavedHost } from '../../../src/engine-types.ts'

/** The same limits everywhere, so that a reload cannot leave more than it allows. */
const TIMES = 'timeout 100\n retries 2\n ttl 2s\n deadtime 1s\n limit 4\n host-limit 3\n'
export const LIMIT = 4

export const CONFIGS = [
  `subnet 2001:db8::/64 { ${TIMES} upstream eth0\n downstream eth1\n host 2001:db8::1 eth0\n exclude 2001:db8::7 }`,
  `subnet 2001:db8::/64 { ${TIMES} keepalive no\n source global\n upstream eth0\n downstream eth1 eth2\n host 2001:db8::2 eth1\n
    host 2001:db8::3 }`,
  `proxy eth0 { ${TIMES} override always\n rule 2001:db8::/64 { iface eth1 }\n rule 2001:db8::3 { static } }
   proxy eth1 { ${TIMES} rule 2001:db8::/64 { auto }\n rule 2001:db8::/64 { iface eth2 } }`,
  `proxy eth0 { ${TIMES} autowire yes\n router no\n rule 2001:db8::/120 { iface eth1 eth2 }\n rule ::/0 { static } }
   subnet 2001:db8::/126 { ${TIMES} upstream eth2\n downstream eth1 }`,
  `subnet auto { ${TIMES} announce solicit\n upstream eth0\n downstream eth1 tap*\n host 2001:db8::2 eth1
    host 2001:db8:1::1 eth0 }`, `subnet 2001:db8::/64 { ${TIMES} snooping mirror\n override never\n upstream eth0\n downstream eth1 eth2 }`,
  `subnet auto { ${TIMES} snooping mrd\n override always\n upstream eth1\n downstream eth0 eth2 }`,
].map(configOf)

export const ADDRESSES = ['2001:db8::', '2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8::4', '2001:db8::5', '2001:db8::6',
  '2001:db8::7', '2001:db8::ff', '2001:db8:1::1', 'fe80::1', 'fe80::2', '2001:db8::fdff:ffff:ffff:ff81']
/** Next hops of the kernel's routes to 2001:db8::4 and others. */
export const NEXT_HOPS = ['fe80::2', '2001:db8::2']
const MACS = [1, 2, 3, 4].map((n) => `02:00:00:00:00:0${n}`)
const PREFIXES = ['2001:db8::/64', '2001:db8:1::/64']

const address = fc.constantFrom(...ADDRESSES)
const target = fc.constantFrom(...ADDRESSES, ...ADDRESSES.slice(1, 8), ...ADDRESSES.slice(2, 5))
const from = fc.constantFrom(...MACS)
const lladdr = fc.option(from.map(mac), { nil: undefined })
const ifindex = fc.constantFrom(2, 2, 3, 3, 4, 9)
const present = fc.constantFrom(1, 2, 3, 4)
const groups = fc.array(target.map((text) => ip(text).solicitedNode), { maxLength: 3 })

function as<K extends string>(kind: K): fc.Arbitrary<K> { return fc.constant(kind) }

const kernelNeighbor = fc.record({ target: target.map(ip), ifindex, mac: lladdr, router: fc.boolean(),
  state: fc.constantFrom('reachable' as const, 'known' as const, 'failed' as const, 'deleted' as const) })
const savedHost = fc.record<SavedHost>({ target: target.map(ip), mac: lladdr, router: fc.boolean(),
  iface: fc.constantFrom('eth0', 'eth1', 'eth2', 'tap3') })

/** Inputs that go to the engine as they are. */
const input: fc.Arbitrary<Input> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: as('neighbor'), neighbor: kernelNeighbor }) },
  { weight: 3, arbitrary: fc.record({ kind: as('station'), ifindex, mac: from.map(mac), port: fc.option(fc.nat(3), { nil: undefined, freq: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: as('echo'), ifindex, source: target.map(ip), mac: lladdr }) },
  { weight: 2, arbitrary: fc.record({ kind: as('local-solicitation'), ifindex, target: target.map(ip) }) },
  { weight: 2, arbitrary: fc.record({ kind: as('report'), ifindex, joined: groups, left: groups }) },
  { weight: 1, arbitrary: fc.record({ kind: as('query'), ifindex, query: fc.record({ kind: as('query'),
    version: fc.constantFrom(1 as const, 2 as const), source: fc.constantFrom('fe80::1', 'fe80::f:1').map(ip), toAll: fc.boolean(),
    groups: fc.option(groups, { nil: undefined }), delay: fc.constantFrom(0, 1000, 10_000) }) }) },
  { weight: 1, arbitrary: fc.record({ kind: as('router-solicitation'), ifindex }) },
  { weight: 1, arbitrary: fc.record({ kind: as('saved-hosts'), hosts: fc.array(savedHost, { maxLength: 4 }) }) })

export const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ op: as('ns'), ifindex, target, from,
    source: fc.oneof(address, fc.constant('::')), unicast: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ op: as('na'), ifindex, target, from, to: fc.constantFrom('fe80::ff:2', 'fe80::ff:2', 'ff02::1'),
    flags: fc.constantFrom('SO', 'SO', 'RSO', 'S', 'O', ''), source: fc.option(address, { nil: undefined }) }) },
  { weight: 1, arbitrary: fc.record({ op: as('noise'), ifindex, bytes: fc.uint8Array({ maxLength: 100 }) }) },
  { weight: 8, arbitrary: fc.record({ op: as('input'), input }) },
  { weight: 2, arbitrary: fc.record({ op: as('link'), ifindex: present, up: fc.boolean(), renamed: fc.nat(4),
    carrier: fc.boolean(), global: fc.option(address, { nil: undefined }), usable: fc.nat(4), mac: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ op: as('gone'), ifindex: present }) },
  { weight: 1, arbitrary: fc.record({ op: as('config'), config: fc.constantFrom(...CONFIGS) }) },
  { weight: 2, arbitrary: fc.record({ op: as('prefixes'), ifindex: present, prefixes: fc.subarray(PREFIXES) }) },
  { weight: 1, arbitrary: fc.record({ op: as('reply'), target, ifindex: fc.option(ifindex, { nil: undefined }), local: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ op: as('routes'), target: fc.option(target, { nil: undefined }), ifindex: present }) },
  { weight: 2, arbitrary: fc.record({ op: as('kernel'), isSlow: fc.boolean() }) },
  { weight: 5, arbitrary: fc.record({ op: as('wait'), ms: fc.constantFrom(1, 50, 100, 101, 1000, 2500) }) })
export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never
