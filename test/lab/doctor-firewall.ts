/** `ndp6d doctor`: firewall rules that drop Neighbor Discovery or MLD. */
import t from 'tap'
import { type Fault, isFoundAndMended } from './kit/doctor.ts'
import { scene } from './kit/scene.ts'

const nft = (rules: string): Fault['make'] => ({ proxy }) => { proxy.exec('nft', rules) }
const noRules: Fault['undo'] = ({ proxy }) => { proxy.exec('nft', 'flush', 'ruleset') }

const FAULTS: readonly Fault[] = [
  { code: 'firewall-nd', what: /inet fw drops messages of Neighbor Discovery: .*\(135\), .*\(136\)$/,
    make: nft('table inet fw { chain in { type filter hook input priority 0; icmpv6 type { 135, 136 } drop; }; }'), undo: noRules },
  { code: 'firewall-nd', name: 'by a policy, with the usual exceptions', what: /\(133\), .*\(136\), redirects \(137\)$/,
    make: nft(`table inet fw { chain in { type filter hook input priority 0; policy drop; ct state vmap { established : accept, related : accept,
      invalid : drop }; iifname lo accept; tcp dport 22 accept; icmpv6 type { nd-neighbor-solicit, nd-router-advert, 130-132, 143 } accept; }; }`),
    undo: noRules },
  { code: 'firewall-nd', name: 'on one link, in a chain of its own', what: /chain out .* to eth1: neighbor solicitations \(135\)$/,
    make: nft(`table ip6 fw { chain no { icmpv6 type != 135 return; reject; }
      chain out { type filter hook output priority 0; oifname "eth1" jump no; }; }`), undo: noRules },
  { code: 'firewall-nd', name: 'on one link, after routing', what: /chain out .* to eth1: neighbor solicitations \(135\)$/,
    make: nft('table ip6 fw { chain out { type filter hook postrouting priority 0; oifname "eth1" icmpv6 type 135 drop; }; }'), undo: noRules },
  { code: 'firewall-mld', what: /drops messages of MLD: queries \(130\)$/,
    make: nft('table ip6 fw { chain in { type filter hook input priority 0; icmpv6 type mld-listener-query drop; }; }'), undo: noRules },
  { code: 'firewall-mld', name: 'by their next header', what: /queries \(130\), .* \(143\)$/,
    make: nft('table inet fw { chain in { type filter hook input priority 0; policy drop; ip6 nexthdr icmpv6 accept; }; }'), undo: noRules },
]

void t.test('firewall rules', async (t) => {
  const stage = await scene(t)
  // The rules are the same with a daemon, whose own table drops solicitations: one row shows that.
  for (const [i, fault] of FAULTS.entries()) {
    await t.test(`${fault.code} ${fault.name ?? ''}`, (t) => isFoundAndMended(t, stage, { ...fault, daemon: i === 0 ? 'both' : 'none' }))
  }
})
