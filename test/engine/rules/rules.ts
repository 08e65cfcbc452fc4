/** By example; `property/rules.ts` compares matches, owners, pinned hosts, groups and exclusions with a list of all rules. */
import t from 'tap'
import { Address, Prefix } from '../../../src/address.ts'
import { DEFAULTS } from '../../../src/config/defaults.ts'
import type { Pinned } from '../../../src/engine/rules/host-lines.ts'
import { Rules } from '../../../src/engine/rules/rules.ts'
import { chance, configOf, ETH0, ETH1, ETH2, ip, linkOf, LO, own, prefix } from '../kit/stage.ts'

const SUBNET = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
}`

function rulesOf(text: string, ...ifindexes: number[]): Rules {
  const rules = new Rules(configOf(text), chance(1))
  for (const ifindex of ifindexes) rules.link(linkOf(ifindex))
  return rules
}

function words(text: string): [number, number, number, number] {
  const { w0, w1, w2, w3 } = ip(text)
  return [w0, w1, w2, w3]
}

function pinned(rules: Rules): Pinned[] { return [...rules.config.hosts.pinned(new Set(rules.config.hosts.pins))] }

/** What to receive from a link. */
function subscription(rules: Rules, name: string): string[] {
  return Object.entries(rules.config.options.subscription(name)!).filter(([, value]) => value).map(([key]) => key)
}

/** `KIND PREFIX` of each rule that covers the target, in order. */
function match(rules: Rules, ifindex: number, target: string): string[] {
  return rules.match(ifindex, ...words(target)).map(({ kind, length }) => `${kind} ${new Prefix(ip(target), length)}`)
}

t.test('rules come in file order, whatever their lengths and blocks', async (t) => {
  const rules = rulesOf(`proxy eth0 {
    rule 2001:db8::/64 { iface eth1 }
    rule 2001:db8::/32 { auto }
    rule 2001:db8::2 { static }
    rule 2001:db8::/64 { iface eth2 }
  }
  proxy eth0 { rule ::/0 { static } }
  proxy eth1 { rule 2001:db8:1::/48 { static } }`, ETH0, ETH1, ETH2)
  t.same(match(rules, ETH0, '2001:db8::2'), ['iface 2001:db8::/64', 'auto 2001:db8::/32', 'static 2001:db8::2/128',
    'iface 2001:db8::/64', 'static ::/0'])
  t.same(match(rules, ETH0, '2001:db8::3').length, 4)
  t.same(match(rules, ETH0, 'fd00::1'), ['static ::/0'])
  t.same(match(rules, ETH1, '2001:db8::2'), [], 'a rule applies on its own link only')
  t.same(match(rules, ETH2, '2001:db8::2'), [])
  t.same(rules.match(ETH0, ...words('2001:db8::3')).flatMap(({ links }) => links.ifindexes), [ETH1, ETH2])
})

t.test('a subnet is one and the same rule on all of its links', async (t) => {
  const rules = rulesOf(SUBNET, LO, ETH0, ETH1, ETH2)
  const [up] = rules.match(ETH0, ...words('2001:db8::2'))
  const [down] = rules.match(ETH1, ...words('2001:db8::2'))
  t.equal(up, down)
  t.same(up.links.ifindexes, [ETH0, ETH1])
  t.same(match(rules, ETH2, '2001:db8::2'), [])
  t.same(rules.upstreams, ['eth0'])
  t.match(pinned(rules), [{ address: ip('2001:db8::1'), pin: { iface: 'eth0' }, rule: up }])
  t.equal(pinned(rules)[0].rule, up)
  t.ok(rules.config.hosts.has(...words('2001:db8::1')))
  t.notOk(rules.config.hosts.has(...words('2001:db8::2')))
})

t.test('wildcards follow links that come, go and are renamed', async (t) => {
  const rules = rulesOf(`proxy eth0 { rule 2001:db8::/64 { iface vmtap* } }
    subnet fd00::/64 { upstream eth0
 downstream vmtap* }`, ETH0)
  const found = (): readonly number[] => [...rules.match(ETH0, ...words('2001:db8::2'))[0].links.ifindexes]
  t.same(found(), [])
  rules.link(linkOf(10, { name: 'vmtap1' }))
  rules.link(linkOf(11, { name: 'vmtap2' }))
  t.same(found(), [10, 11])
  t.same(match(rules, 10, 'fd00::1'), ['iface fd00::/64'], 'they are listened on')
  rules.link(linkOf(10, { name: 'other' }))
  t.same(found(), [11], 'renamed')
  rules.gone(11)
  t.same(found(), [])
  t.same(match(rules, 11, 'fd00::1'), [], 'gone')
  t.same(subscription(rules, 'vmtap9'), [])
  t.equal(new Rules(configOf(SUBNET), chance(1)).config.options.subscription('eth7'), undefined)
})

t.test('`*` does not match loopback', async (t) => {
  const rules = rulesOf('proxy eth0 { rule 2001:db8::/64 { iface * } }', LO, ETH0, ETH1)
  t.same(rules.match(ETH0, ...words('2001:db8::2'))[0].links.ifindexes, [ETH0, ETH1])
})

t.test('promiscuous applies to the listening link', async (t) => {
  const rules = rulesOf('proxy eth0 { promiscuous yes\n rule fd00::/64 { iface eth1 } }', ETH0)
  t.same(subscription(rules, 'eth0'), ['promiscuous', 'ring'])
  t.same(subscription(rules, 'eth1'), [], 'probed, so received from')
})

t.test('own solicitations are received where a host route would lead elsewhere', async (t) => {
  t.same(subscription(rulesOf(SUBNET), 'eth0'), ['ring', 'ownSolicitations'])
  t.same(subscription(rulesOf(SUBNET), 'eth1'), [])
  t.same(subscription(rulesOf(SUBNET.replace('host', 'routes no\n host')), 'eth0'), ['ring'])
  t.same(subscription(rulesOf(SUBNET.replace('host', 'learn no\n host')), 'eth0'), ['ring'], 'no host is probed for')
  t.same(subscription(rulesOf('proxy eth0 { autowire yes\n rule fd00::/64 { iface eth1 } }'), 'eth0'), ['ring', 'ownSolicitations'])
  const both = rulesOf(`${SUBNET} proxy eth0 { promiscuous yes\n rule fd00::/64 { static } }`)
  t.same(subscription(both, 'eth0'), ['promiscuous', 'ring', 'ownSolicitations'], 'the union of both blocks')
})

t.test('snooping: reports from inside, router solicitations from outside', async (t) => {
  const mirror = rulesOf(SUBNET.replace('host', 'snooping mirror\n host').replace('eth1', 'eth1 eth2'), ETH0, ETH1, ETH2)
  t.same(subscription(mirror, 'eth0'), ['ring', 'ownSolicitations'])
  t.same(subscription(mirror, 'eth2'), ['reports'])
  t.same(mirror.config.options.snooping, { mirrors: new Map([[ETH1, [ETH0]], [ETH2, [ETH0]]]), routers: new Set() })
  const mrd = rulesOf(SUBNET.replace('host', 'snooping mrd\n host'), ETH0, ETH1)
  t.same(subscription(mrd, 'eth0'), ['ring', 'ownSolicitations', 'routerSolicitations'])
  t.same(mrd.config.options.snooping, { mirrors: new Map(), routers: new Set([ETH0]) })
  t.same(rulesOf(SUBNET, ETH0, ETH1).config.options.snooping, { mirrors: new Map(), routers: new Set() })
  const proxies = rulesOf(`proxy eth0 { snooping mirror\n rule fd00::/64 { iface eth1 }
      rule fd01::/64 { iface eth0 eth1 }\n rule fd02::/64 { static } }
    proxy eth2 { snooping mirror\n rule fd00::/64 { iface eth1 } }`, ETH0, ETH1, ETH2)
  t.same(proxies.config.options.snooping.mirrors, new Map([[ETH1, [ETH0, ETH2]]]), 'each once, and none to itself')
  proxies.gone(ETH2)
  t.same(proxies.config.options.snooping.mirrors, new Map([[ETH1, [ETH0]]]))
})

t.test('links inside are those whose hosts are learned', async (t) => {
  const inside = (text: string): number[] => {
    const rules = rulesOf(text, ETH0, ETH1, ETH2)
    return [ETH0, ETH1, ETH2].filter((ifindex) => rules.learning(ifindex).length > 0)
  }
  t.same(inside(SUBNET.replace('eth1', 'eth1 eth2')), [ETH1, ETH2], 'downstream')
  t.same(inside(SUBNET.replace('eth1', 'eth*')), [ETH1, ETH2])
  t.same(inside(SUBNET.replace('host', 'learn no\n host')), [])
  t.same(inside('proxy eth0 { rule fd00::/64 { iface eth1 } }'), [])
  t.same(inside(`proxy eth0 { autowire yes\n rule fd00::/64 { iface eth1 }
    rule fd01::/64 { auto }\n rule fd02::/64 { static } }`), [ETH1])
})

t.test('owners are solicited on other links', async (t) => {
  const target = ip('2001:db8::2')
  const solicitedOn = (rules: Rules, ifindex: number): readonly number[] =>
    rules.solicitedOn(rules.owning(ifindex, ...words('2001:db8::2'))!, target, ifindex)
  const subnet = rulesOf(SUBNET.replace('eth1', 'eth1 eth2'), ETH0, ETH1, ETH2)
  t.same(solicitedOn(subnet, ETH0), [ETH1, ETH2])
  t.same(solicitedOn(subnet, ETH1), [ETH0], 'not on the other downstreams')
  subnet.gone(ETH0)
  t.same(solicitedOn(subnet, ETH1), [])
  const proxies = rulesOf(`proxy eth0 { rule 2001:db8::/64 { iface eth1 } }
    proxy eth1 { rule 2001:db8::/64 { static } }\n proxy eth2 { rule 2001:db8::2 { iface eth1 } }`, ETH0, ETH1, ETH2)
  t.same(solicitedOn(proxies, ETH1), [ETH0, ETH2], 'where rules cover it, but not on the link of the owner')
  t.same(proxies.solicitedOn(proxies.owning(ETH1, ...words('2001:db8::2'))!, ip('2001:db8::3'), ETH1), [ETH0])
})

t.test('`subnet auto` makes one rule for each prefix of the upstream', async (t) => {
  const config = configOf(SUBNET.replace('2001:db8::/64', 'auto').replace('host', 'host fd00::5 eth1\n host'))
  const rules = new Rules(config, chance(1),
    new Map([['eth0', ['2001:db8::/64', '2001:db8:1::/64'].map(prefix)], ['eth1', [prefix('fd00::/64')]]]))
  for (const ifindex of [ETH0, ETH1]) rules.link(linkOf(ifindex))
  t.same(match(rules, ETH1, '2001:db8:1::2'), ['iface 2001:db8:1::/64'])
  t.same(match(rules, ETH1, 'fd00::2'), [], 'only prefixes of the upstream')
  t.same(pinned(rules).map(({ address }) => `${address}`), ['2001:db8::1'], 'only hosts inside these prefixes')
  t.same([...rules.fixedGroups('eth1')].map(String), ['2001:db8::1'])
  t.same([...rules.fixedGroups('eth0')].map(String), [])
  t.same(subscription(rules, 'eth0'), ['ring', 'ownSolicitations', 'prefixes'])
  const none = new Rules(config, chance(1))
  for (const ifindex of [ETH0, ETH1]) none.link(linkOf(ifindex))
  t.same(match(none, ETH1, '2001:db8::2'), [])
  t.same(subscription(none, 'eth0'), ['ring', 'ownSolicitations', 'prefixes'], 'prefixes are learned there')
})

t.test('filters for the kernel', async (t) => {
  const rules = rulesOf(SUBNET, ETH0, ETH1)
  t.same(rules.filters({ get: (ifindex) => linkOf(ifindex) }).map((rule) => ({ ...rule, prefixes: [...rule.prefixes] })),
    [ETH0, ETH1].map((ifindex) => ({ ifindex, mac: linkOf(ifindex).mac, prefixes: [prefix('2001:db8::/64')], excluded: [] })))
})

t.test('filters leave `exclude` ranges and the anycast addresses of the link to the kernel', async (t) => {
  const rules = rulesOf(`${SUBNET.replace('host', 'exclude 2001:db8::8000/113\n host')} proxy eth0 { rule fd00::/64 { static } }`, ETH0, ETH1)
  const addresses = [own('fe80::1'), own('2001:db8::ff'), own('2001:db8::2:7', 112), own('fd00::1', 127), own('fd00::3', 128)]
  const filters = rules.filters({ get: (ifindex) => linkOf(ifindex, ifindex === ETH0 ? { addresses } : {}) })
  t.same(filters.map(({ excluded }) => excluded.map(String)),
    [['2001:db8::8000/113', '2001:db8::/128', '2001:db8::2:0/128'], ['2001:db8::8000/113']])
})

t.test('filters keep their prefixes objects until prefixes or names change', async (t) => {
  const rules = rulesOf(`${SUBNET} proxy eth0 { rule fd00::/64 { static }\n rule fd01::/64 { static } }`, ETH0, ETH1)
  const filters = (): [number, Iterable<Prefix>][] => rules.filters({ get: (ifindex) => linkOf(ifindex) })
    .map(({ ifindex, prefixes }) => [ifindex, prefixes])
  const before = new Map(filters())
  t.same([...before.get(ETH0)!].map(String), ['fd00::/64', 'fd01::/64', '2001:db8::/64'])
  t.ok(filters().every(([ifindex, prefixes]) => prefixes === before.get(ifindex)))
  rules.link(linkOf(ETH2))
  rules.gone(ETH1)
  t.ok(filters().length === 1 && filters()[0][1] === before.get(ETH0), 'another link does not matter')
  rules.follow(new Map())
  t.ok(filters()[0][1] !== before.get(ETH0))
})

t.test('a lookup among 100 000 rules costs no more than among 100', async (t) => {
  const many = (count: number): Rules => {
    const rules = Array.from({ length: count }, (_, i) =>
      ({ kind: 'static' as const, prefix: new Prefix(new Address(0x20010db8, i, 0, 0), 64) }))
    const made = new Rules({ forwarding: false, grace: 0, subnets: [], proxies: [{ iface: 'eth0', settings: DEFAULTS, rules }] }, chance(1))
    made.link(linkOf(ETH0))
    return made
  }
  const time = (rules: Rules, count: number): number => {
    let hits = 0
    const start = performance.now()
    for (let i = 0; i < 200_000; i++) hits += rules.match(ETH0, 0x20010db8, (i * 7919) % count, 0, 5).length
    const took = performance.now() - start
    t.equal(hits, 200_000, 'each target matches exactly its rule')
    return took
  }
  const [few, lots] = [many(100), many(100_000)]
  time(few, 100)
  const small = Math.min(time(few, 100), time(few, 100))
  const big = Math.min(time(lots, 100_000), time(lots, 100_000))
  t.ok(big < 20 * small + 50, `${big.toFixed(1)} ms against ${small.toFixed(1)} ms: the difference is due to CPU caches`)
})
