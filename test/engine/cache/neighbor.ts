import t from 'tap'
import type { Neighbor } from '../../../src/engine/cache/neighbor.ts'
import type { Instant } from '../../../src/engine-types.ts'
import { ip, neighborOf, worldOf } from '../kit/neighbor.ts'

function entry(settings = ''): Neighbor {
  return neighborOf(ip('2001:db8::2'), worldOf(`proxy eth0 { ${settings}\n rule 2001:db8::/64 { iface eth1 } }`).rule)
}

t.test('verification begins so that it is over by the end of ttl, at half of it at the earliest', async (t) => {
  const staleAt = (settings: string): number => {
    const neighbor = entry(settings)
    neighbor.verified = 1000 as Instant
    return neighbor.staleAt - 1000
  }
  t.equal(staleAt('ttl 30s\n timeout 500\n retries 3'), 28_000)
  t.equal(staleAt('ttl 30s\n timeout 500\n retries 0'), 29_500)
  t.equal(staleAt('ttl 3s\n timeout 500\n retries 3'), 1500)
  t.equal(staleAt('ttl 30s\n timeout 60s\n retries 3'), 15_000)
  t.equal(staleAt('ttl 0\n timeout 500\n retries 3'), 500, 'at most twice a second')
})

t.test('a probe has at least a millisecond for its answer', async (t) => {
  t.equal(entry('timeout 500').timeoutAt(1000 as Instant), 1500)
  t.equal(entry('timeout 0').timeoutAt(1000 as Instant), 1001)
})

t.test('three probes by unicast, and at least one to the group', async (t) => {
  t.same([0, 1, 3, 9].map((retries) => entry(`retries ${retries}`).unicastProbes), [0, 1, 3, 3])
})
