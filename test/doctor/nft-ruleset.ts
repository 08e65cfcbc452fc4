/** Firewall rules as nft(8) and ip6tables-save(8) print them, evaluated for Neighbor Discovery and MLD. */
import t from 'tap'
import { type Chain, drops, type Packet } from '../../src/doctor/firewall-chains.ts'
import { parseSave } from '../../src/doctor/ip6tables.ts'
import { parseRuleset } from '../../src/doctor/nft-ruleset.ts'

const TYPES = [130, 131, 132, 133, 134, 135, 136, 137, 143]

/** @returns types that a base chain drops on eth0 */
function dropped(chains: readonly Chain[], hook = 'input', fields: Partial<Packet> = { in: 'eth0' }): number[] {
  const base = chains.filter((chain) => chain.hook === hook)
  return TYPES.filter((type) => base.some((chain) => drops(chain, chains, { type, hopLimit: type >= 133 && type <= 137 ? 255 : 1, ...fields })))
}

/** @returns chains with these rules, each a list of statements, in the chain `in` of the hook `input` */
function chainsOf(rules: readonly (readonly object[])[], { policy = 'accept', more = [] as readonly object[], table = 'fw' } = {}): readonly Chain[] {
  const place = { family: 'inet', table }
  return parseRuleset(JSON.stringify({ nftables: [
    { metainfo: { json_schema_version: 1 } }, { table: { family: 'inet', name: table } }, ...more,
    { chain: { ...place, name: 'in', type: 'filter', hook: 'input', prio: 0, policy } }, { chain: { ...place, name: 'other' } },
    ...rules.map((expr) => ({ rule: { ...place, chain: 'in', expr } })),
    { rule: { ...place, chain: 'other', expr: [{ drop: null }] } },
  ] })).chains
}

const match = (left: object, right: unknown, op = '==') => ({ match: { op, left, right } })
const TYPE = { payload: { protocol: 'icmpv6', field: 'type' } }
const meta = (key: string) => ({ meta: { key } })
const DROP = { drop: null }
const ACCEPT = { accept: null }

t.test('matches of the type', async (t) => {
  t.same(dropped(chainsOf([[match(TYPE, 'nd-neighbor-solicit'), DROP]])), [135])
  const set = { set: ['nd-router-advert', 136, { range: [130, 'mld-listener-done'] }] }
  t.same(dropped(chainsOf([[match(TYPE, set), { reject: { type: 'icmpv6' } }]])), [130, 131, 132, 134, 136])
  t.same(dropped(chainsOf([[match(TYPE, { range: ['nd-router-solicit', 'nd-redirect'] }, '!='), DROP]])), [130, 131, 132, 143])
  t.same(dropped(chainsOf([[match(TYPE, 135, '>='), DROP]])), [135, 136, 137, 143])
  t.same(dropped(chainsOf([[match(TYPE, '@types'), { counter: { packets: 1, bytes: 2 } }, DROP]],
    { more: [{ set: { family: 'inet', name: 'types', table: 'fw', elem: ['nd-redirect', { elem: { val: 143, counter: {} } }] } }] })), [137, 143])
  t.same(dropped(chainsOf([[match(TYPE, 'echo-request'), DROP]])), [])
  t.same(dropped(chainsOf([[{ vmap: { key: TYPE, data: { set: [['nd-redirect', DROP], [135, { jump: { target: 'other' } }]] } } }]])), [135, 137])
})

t.test('other matches', async (t) => {
  const all = TYPES
  t.same(dropped(chainsOf([[match(meta('l4proto'), 'ipv6-icmp'), DROP]])), all)
  t.same(dropped(chainsOf([[match({ payload: { protocol: 'ip6', field: 'nexthdr' } }, 'ipv6-icmp'), DROP]])), [133, 134, 135, 136, 137],
    'MLD has another next header')
  t.same(dropped(chainsOf([[match(meta('l4proto'), { set: ['tcp', 'udp'] }), DROP]])), [])
  t.same(dropped(chainsOf([[match({ payload: { protocol: 'tcp', field: 'dport' } }, 22), DROP]])), [])
  t.same(dropped(chainsOf([[match(meta('nfproto'), 'ipv4'), DROP]])), [])
  t.same(dropped(chainsOf([[match(meta('iifname'), { set: ['lo', 'eth*'] }), DROP]])), all)
  t.same(dropped(chainsOf([[match(meta('iifname'), 'eth1'), DROP]])), [])
  t.same(dropped(chainsOf([[match({ payload: { protocol: 'ip6', field: 'hoplimit' } }, 255, '!='), DROP]])), [130, 131, 132, 143])
  t.same(dropped(chainsOf([[match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), ACCEPT], [DROP]])), all)
  t.same(dropped(chainsOf([[match({ ct: { key: 'state' } }, 'invalid', 'in'), DROP]])), [], 'the kernel does not track them')
  t.same(dropped(chainsOf([[match({ ct: { key: 'state' } }, ['new', 'untracked'], 'in'), DROP]])), all)
})

t.test('a drop that is not certain is none', async (t) => {
  const from = match({ payload: { protocol: 'ip6', field: 'saddr' } }, { prefix: { addr: 'fe80::', len: 10 } })
  t.same(dropped(chainsOf([[from, DROP]])), [])
  t.same(dropped(chainsOf([[from, ACCEPT]], { policy: 'drop' })), [])
  t.same(dropped(chainsOf([[{ limit: { rate: 10, per: 'second' } }, DROP]])), [])
  t.same(dropped(chainsOf([[match(meta('mark'), 5), { jump: { target: 'other' } }]])), [])
  t.same(dropped(chainsOf([[{ new: 'statement' }, DROP]])), [])
})

t.test('chains', async (t) => {
  t.same(dropped(chainsOf([], { policy: 'drop' })), TYPES)
  t.same(dropped(chainsOf([[match(TYPE, 136), { return: null }], [DROP]])), TYPES.filter((type) => type !== 136))
  t.same(dropped(chainsOf([[match(TYPE, 136), { goto: { target: 'other' } }]])), [136])
  t.same(dropped(chainsOf([[{ jump: { target: 'in' } }], [DROP]])), TYPES, 'a loop ends')
  t.same(dropped(chainsOf([[{ jump: { target: 'gone' } }]])), [])
  t.same(dropped(chainsOf([[DROP]], { table: 'ndp6d' })), [], 'the table of ndp6d itself')
  t.same(dropped(chainsOf([[DROP]]), 'output'), [])
  t.throws(() => parseRuleset('Error: syntax'), SyntaxError)
})

/** As `nft -j list ruleset` and `ip6tables-save` of iptables 1.8.9 show the same rules. */
const NFT = '{"nftables": [{"chain": {"family": "ip6", "table": "filter", "name": "INPUT", "handle": 1, "type": "filter", "hook": "input", '
  + '"prio": 0, "policy": "accept"}}, {"rule": {"family": "ip6", "table": "filter", "chain": "INPUT", "handle": 2, "expr": [{"match": {"op": "==", "left": '
  + '{"meta": {"key": "l4proto"}}, "right": "ipv6-icmp"}}, {"xt": {"type": "match", "name": "icmp6"}}, {"counter": {"packets": 0, "bytes": 0}}, '
  + '{"drop": null}]}}]}'
const saved = (...lines: readonly string[]): readonly Chain[] => parseSave(['# Generated by ip6tables-save v1.8.9 (nf_tables)', '*filter',
  ':INPUT ACCEPT [0:0]', ':FORWARD DROP [0:0]', ':OUTPUT ACCEPT [0:0]', ':ND - [0:0]', ...lines, 'COMMIT', ''].join('\n'))

t.test('ip6tables', async (t) => {
  const { chains, hasExtensions } = parseRuleset(NFT)
  t.equal(hasExtensions, true)
  t.match(chains, [{ name: 'INPUT', isExtended: true }])
  t.same(dropped(chains), [], 'nft does not show the type')
  t.same(dropped(saved('-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j DROP')), [135])
  t.same(dropped(saved('[12:840] -A INPUT -i eth+ -p ipv6-icmp -m icmp6 --icmpv6-type 136/0 -j REJECT --reject-with icmp6-adm-prohibited')), [136])
  t.same(dropped(saved('-A INPUT -p ipv6-icmp -m hl --hl-eq 255 -m comment --comment "-j DROP \\"x" -j ACCEPT', '-A INPUT -p ipv6-icmp -j DROP')),
    [130, 131, 132, 143])
  t.same(dropped(saved('-A INPUT ! -i eth0 -j DROP', '-A INPUT -s fe80::/10 -j DROP', '-A INPUT -p tcp -j DROP',
    '-A INPUT -m conntrack --ctstate INVALID -j DROP', '-A INPUT -m limit --limit 5/sec -j DROP')), [])
  t.same(dropped(saved('-A INPUT -p ipv6-icmp -g ND', '-A INPUT -j DROP', '-A ND ! -p 58 -j DROP', '-A ND -p 58 -m icmp6 --icmpv6-type 143 -j DROP',
    '-A ND -j LOG --log-prefix "ND "')), [143])
  t.same(dropped(saved('-A OUTPUT -o eth1 -p ipv6-icmp -m icmp6 --icmpv6-type 133 -j DROP'), 'output', { out: 'eth1' }), [133])
})
