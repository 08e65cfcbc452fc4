/** Memberships are counted, and follow the links (checklist J1, J2, J6). */
import t from 'tap'
import fc from 'fast-check'
import type { Address } from '../../src/address.ts'
import { Groups } from '../../src/engine/groups.ts'
import type { Event, Sink } from '../../src/engine/types.ts'
import { ip } from './kit/frames.ts'
import { ETH0, ETH1 } from './kit/stage.ts'

/** A kernel of sorts: refuses what changes nothing, and calls for links that it does not hear. */
class Members implements Pick<Sink, 'join' | 'leave' | 'event'> {
  readonly lines: string[] = []
  readonly heard = new Map<number, Set<string>>()

  join(ifindex: number, group: Address): void {
    const groups = this.heard.get(ifindex)
    if (groups === undefined || groups.has(`${group}`)) throw new Error(`join ${ifindex} ${group}`)
    groups.add(`${group}`)
    this.lines.push(`join ${ifindex} ${group}`)
  }

  leave(ifindex: number, group: Address): void {
    if (!this.heard.get(ifindex)?.delete(`${group}`)) throw new Error(`leave ${ifindex} ${group}`)
    this.lines.push(`leave ${ifindex} ${group}`)
  }

  event(event: Event): void { if (event.kind === 'limit') this.lines.push(`limit ${event.limit} ${event.size}`) }

  take(): string[] { return this.lines.splice(0) }
}

function groupsOn(limit: number, ...ifindexes: number[]): { groups: Groups; members: Members } {
  const members = new Members()
  const groups = new Groups(members, limit)
  for (const ifindex of ifindexes) {
    members.heard.set(ifindex, new Set())
    groups.heard(ifindex)
  }
  return { groups, members }
}

t.test('the group is ff02::1:ff and the low 24 bits, joined once and left with the last address (J1, J2)', async (t) => {
  const { groups, members } = groupsOn(100, ETH0, ETH1)
  groups.add(ETH0, ip('2001:db8::1:2abc:def0'))
  t.same(members.take(), [`join ${ETH0} ff02::1:ffbc:def0`])
  groups.add(ETH0, ip('2001:db8:0:7::ffbc:def0'))
  groups.add(ETH0, ip('ff02::1:ffbc:def0'))
  t.same(members.take(), [], 'the same group, and the group itself')
  groups.add(ETH1, ip('2001:db8::1:2abc:def0'))
  t.same(members.take(), [`join ${ETH1} ff02::1:ffbc:def0`], 'another link')
  t.equal(groups.size(ETH0), 1)
  groups.remove(ETH0, ip('2001:db8::1:2abc:def0'))
  groups.remove(ETH0, ip('ff02::1:ffbc:def0'))
  t.same(members.take(), [], 'one still wants it')
  groups.remove(ETH0, ip('2001:db8:0:7::ffbc:def0'))
  t.same(members.take(), [`leave ${ETH0} ff02::1:ffbc:def0`])
  t.equal(groups.size(ETH0), 0)
  t.equal(groups.size(ETH1), 1)
})

t.test('a link that is not heard is left alone; what is wanted there is joined once it is heard (J6)', async (t) => {
  const { groups, members } = groupsOn(100)
  groups.add(ETH0, ip('2001:db8::2'))
  groups.add(ETH0, ip('2001:db8::ff00:3'))
  t.same(members.take(), [])
  members.heard.set(ETH0, new Set())
  groups.heard(ETH0)
  t.same(members.take().sort(), [`join ${ETH0} ff02::1:ff00:2`, `join ${ETH0} ff02::1:ff00:3`])
  groups.heard(ETH0)
  t.same(members.take(), [], 'heard in another way only')
  members.heard.delete(ETH0)
  groups.gone(ETH0)
  groups.remove(ETH0, ip('2001:db8::2'))
  groups.add(ETH0, ip('2001:db8::4'))
  t.equal(groups.size(ETH0), 2)
  members.heard.set(ETH0, new Set())
  groups.heard(ETH0)
  t.same(members.take().sort(), [`join ${ETH0} ff02::1:ff00:3`, `join ${ETH0} ff02::1:ff00:4`])
})

t.test('what was not added cannot be removed', async (t) => {
  const { groups, members } = groupsOn(100, ETH0, ETH1)
  groups.add(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::3')), { message: /2001:db8::3 cannot leave/ })
  t.throws(() => groups.remove(ETH1, ip('2001:db8::2')), { message: /link 3 is no member of ff02::1:ff00:2/ })
  groups.remove(ETH0, ip('2001:db8::2'))
  t.throws(() => groups.remove(ETH0, ip('2001:db8::2')))
  t.same(members.take(), [`join ${ETH0} ff02::1:ff00:2`, `leave ${ETH0} ff02::1:ff00:2`])
})

t.test('a link has so many groups, and the next one joins when one is left', async (t) => {
  const members = new Members()
  const groups = new Groups(members, 2)
  members.heard.set(ETH0, new Set())
  groups.heard(ETH0)
  for (const host of ['1', '2', '3', '4', '3']) groups.add(ETH0, ip(`2001:db8::${host}`))
  t.same(members.take(), [`join ${ETH0} ff02::1:ff00:1`, `join ${ETH0} ff02::1:ff00:2`, 'limit groups 2'], 'said once')
  t.equal(groups.size(ETH0), 4, 'wanted all the same')
  groups.remove(ETH0, ip('2001:db8::4'))
  t.same(members.take(), [], 'it was none')
  groups.remove(ETH0, ip('2001:db8::1'))
  t.same(members.take(), [`leave ${ETH0} ff02::1:ff00:1`, `join ${ETH0} ff02::1:ff00:3`])
  groups.remove(ETH0, ip('2001:db8::3'))
  groups.remove(ETH0, ip('2001:db8::2'))
  t.same(members.take(), [`leave ${ETH0} ff02::1:ff00:2`])
  for (const host of ['5', '6']) groups.add(ETH0, ip(`2001:db8::${host}`))
  t.same(members.take(), [`join ${ETH0} ff02::1:ff00:5`, 'limit groups 2'], 'and again, once there was room')
  groups.gone(ETH0)
  members.heard.set(ETH0, new Set())
  groups.heard(ETH0)
  const lines = members.take()
  t.equal(lines.filter((line) => line.startsWith('join')).length, 2, 'with other sockets')
  t.equal(lines.at(-1), 'limit groups 2')
})

const ADDRESSES = [
  '2001:db8::1', '2001:db8:1::1', 'ff02::1:ff00:1', '2001:db8::2', '2001:db8::fd00:2', 'ff02::1:ffff:ffff',
].map(ip)
const group = (address: Address): string => address.solicitedNode.toString()
const ifindex = fc.constantFrom(ETH0, ETH1)
const address = fc.constantFrom(...ADDRESSES)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('add' as const, 'remove' as const), ifindex, address }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('heard' as const, 'gone' as const), ifindex }) })

t.test('members of exactly what is wanted, as far as the limit goes, after any sequence', async () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: 'max' }), fc.constantFrom(1, 2, 100), (steps, limit) => {
    const { groups, members } = groupsOn(limit, ETH1)
    const wanted: { ifindex: number; group: string }[] = []
    for (const step of steps) {
      switch (step.op) {
        case 'add':
          groups.add(step.ifindex, step.address)
          wanted.push({ ifindex: step.ifindex, group: group(step.address) })
          break
        case 'remove': {
          const at = wanted.findIndex((one) => one.ifindex === step.ifindex && one.group === group(step.address))
          let threw = false
          try {
            groups.remove(step.ifindex, step.address)
          } catch {
            threw = true
          }
          if (threw !== at < 0) return false
          if (at >= 0) wanted.splice(at, 1)
          break
        }
        case 'heard':
          if (!members.heard.has(step.ifindex)) members.heard.set(step.ifindex, new Set())
          groups.heard(step.ifindex)
          break
        case 'gone':
          members.heard.delete(step.ifindex)
          groups.gone(step.ifindex)
          break
      }
      for (const ifindex of [ETH0, ETH1]) {
        const there = new Set(wanted.filter((one) => one.ifindex === ifindex).map(({ group }) => group))
        const joined = members.heard.get(ifindex)
        if (groups.size(ifindex) !== there.size) return false
        if (joined === undefined) continue
        if (joined.size !== Math.min(limit, there.size)) return false
        if ([...joined].some((group) => !there.has(group))) return false
      }
    }
    return true
  }), { numRuns: 500 })
})
