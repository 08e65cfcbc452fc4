import t from 'tap'
import type { Neighbor } from '../../src/engine/neighbor.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { chance, configOf, ETH0, linkOf, neighborOf as entryOf } from './kit/stage.ts'

function neighborOf(settings: string): Neighbor {
  const rules = new Rules(configOf(`proxy eth0 { ${settings}\n rule 2001:db8::/64 { iface eth1 } }`), chance(1))
  rules.link(linkOf(ETH0))
  const target = ip('2001:db8::2')
  return entryOf(target, rules.match(ETH0, target.w0, target.w1, target.w2, target.w3)[0])
}

t.test('verification begins so that it is over by the end of ttl, at half of it at the earliest', async (t) => {
  const staleAt = (settings: string): number => {
    const neighbor = neighborOf(settings)
    neighbor.verified = 1000 as Instant
    return neighbor.staleAt - 1000
  }
  t.equal(staleAt('ttl 30s\n timeout 500\n retries 3'), 28_000)
  t.equal(staleAt('ttl 30s\n timeout 500\n retries 0'), 29_500)
  t.equal(staleAt('ttl 3s\n timeout 500\n retries 3'), 1500)
  t.equal(staleAt('ttl 30s\n timeout 60s\n retries 3'), 15_000)
  t.equal(staleAt('ttl 0\n timeout 500\n retries 3'), 500, 'not as fast as it answers')
})

t.test('a probe has time for its answer, be it a millisecond', async (t) => {
  t.equal(neighborOf('timeout 500').afterTimeout(1000 as Instant), 1500)
  t.equal(neighborOf('timeout 0').afterTimeout(1000 as Instant), 1001)
})

t.test('three probes by unicast, but one of all is for the group', async (t) => {
  t.same([0, 1, 3, 9].map((retries) => neighborOf(`retries ${retries}`).unicastProbes), [0, 1, 3, 3])
})

t.test('an owner is REACHABLE or being verified again', async (t) => {
  const neighbor = neighborOf('')
  const states = (['INCOMPLETE', 'REACHABLE', 'PROBE', 'FAILED'] as const).filter((state) => {
    neighbor.state = state
    return neighbor.isOwned
  })
  t.same(states, ['REACHABLE', 'PROBE'])
})
