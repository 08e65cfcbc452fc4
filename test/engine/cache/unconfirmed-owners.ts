/** Which owner gives its place to a new one: compared with a plain list. */
import t from 'tap'
import fc from 'fast-check'
import type { Mac } from '../../../src/address.ts'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import { UnconfirmedOwners } from '../../../src/engine/cache/unconfirmed-owners.ts'
import { ETH1, ETH2, mac, neighborOf, nth, nthMac, worldOf } from '../kit/neighbor.ts'

const { rule: RULE } = worldOf('proxy eth0 { rule 2001:db8::/64 { iface eth1 } }')
const MACS = [1, 2, 3].map((n) => mac(nthMac(n)))
const BRIDGE = 9

function entry(n: number, ifindex: number, address?: Mac, account?: Mac): Neighbor {
  return neighborOf(nth(n), RULE, { state: 'REACHABLE', ifindex, mac: address, account })
}

t.test('the oldest owner at the port with the most owners, in all and on one link', async () => {
  const ifindex = fc.constantFrom(ETH1, ETH2)
  const step = fc.oneof(
    fc.record({ op: fc.constant('add' as const), n: fc.nat(9), ifindex, mac: fc.constantFrom(...MACS, undefined) }),
    fc.record({ op: fc.constant('delete' as const), n: fc.nat(9) }),
    fc.record({ op: fc.constant('learned' as const), mac: fc.constantFrom(...MACS), port: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ op: fc.constant('forgot' as const), mac: fc.constantFrom(...MACS), bridge: fc.constantFrom(BRIDGE, 8) }))
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const owners = new UnconfirmedOwners()
    const ports = new Map<Mac, number>()
    let model: { owner: Neighbor; port: number }[] = []
    const portOf = ({ mac }: Neighbor): number => mac === undefined ? 0 : ports.get(mac) ?? 0
    for (const step of steps) {
      switch (step.op) {
        case 'add': {
          if (model.some(({ owner: { target } }) => target.equals(nth(step.n)))) break
          const owner = entry(step.n, step.ifindex, step.mac)
          owners.add(owner)
          model.push({ owner, port: portOf(owner) })
          break
        }
        case 'delete': {
          const gone = model.find(({ owner: { target } }) => target.equals(nth(step.n)))
          if (gone !== undefined) owners.delete(gone.owner)
          model = model.filter((other) => other !== gone)
          break
        }
        case 'learned': {
          const entries = model.map(({ owner }) => owner).filter((owner) => owner.mac === step.mac)
          owners.learned(BRIDGE, step.mac, step.port, entries)
          ports.set(step.mac, step.port)
          const moved = model.filter(({ owner, port }) => owner.mac === step.mac && port !== step.port)
          model = [...model.filter((other) => !moved.includes(other)), ...moved.map(({ owner }) => ({ owner, port: step.port }))]
          break
        }
        case 'forgot':
          owners.forgot(step.bridge, step.mac)
          if (step.bridge === BRIDGE) ports.delete(step.mac)
      }
      for (const link of [undefined, ETH1, ETH2]) {
        const candidates = model.filter(({ owner: { ifindex } }) => link === undefined || ifindex === link)
        const place = ({ owner: { ifindex }, port }: typeof model[number]) => candidates.filter((other) =>
          other.owner.ifindex === ifindex && other.port === port)
        const most = Math.max(0, ...candidates.map((each) => place(each).length))
        const allowed = candidates.filter((each) => place(each).length === most && place(each)[0] === each).map(({ owner }) => owner)
        const found = owners.oldest(link)
        if (found === undefined ? allowed.length > 0 : !allowed.includes(found)) return false
      }
      if (owners.isEmpty !== (model.length === 0)) return false
    }
    return true
  }))
})

t.test('the port is that of the sender, whichever address its proof names', async (t) => {
  const owners = new UnconfirmedOwners()
  const [thief, named, other] = MACS
  owners.learned(BRIDGE, thief, 1, [])
  owners.learned(BRIDGE, named, 2, [])
  const forged = [1, 2].map((n) => entry(n, ETH1, named, thief))
  const own = entry(3, ETH1, named)
  for (const each of [own, ...forged, entry(4, ETH1, other)]) owners.add(each)
  t.equal(owners.oldest(), forged[0])
  owners.learned(BRIDGE, named, 3, [own, ...forged])
  t.same([own, ...forged].map(({ port }) => port), [3, 1, 1], 'a move of the named host does not move them')
})
