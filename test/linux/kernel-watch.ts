/** What the kernel watch reports to the engine about the links of `subnet auto`. */
import t from 'tap'
import type { Input } from '../../src/engine-types.ts'
import { KernelWatch } from '../../src/linux/kernel-watch.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex } from './kit/links.ts'

await ownNamespace()

t.test('prefixes of an upstream: on-link ones, else those of its addresses', async (t) => {
  sh(`ip link add e0 type veth peer name e1; ip link set e0 up; ip link set e1 up
      ip -6 addr add 2001:db8:2::1/64 dev e0 nodad noprefixroute
      ip -6 addr add 2001:db8:3::1/128 dev e0 nodad; ip -6 addr add 2001:db8:4::1/64 dev e1 nodad noprefixroute`)
  const inputs: Input[] = []
  const kernel = new Rtnetlink()
  const watch = new KernelWatch(kernel, { input: (input) => inputs.push(input), enslaved: () => {}, failed: () => {}, full: () => {} })
  t.teardown(() => [watch, kernel].forEach((each) => each.close()))
  const e0 = { ifindex: ifindex('e0'), name: 'e0' }
  const last = (): string => {
    const found = inputs.findLast((input) => input.kind === 'prefixes')
    return found?.kind === 'prefixes' ? `${found.ifindex} ${found.prefixes.join(' ')}` : ''
  }
  watch.startLinks()
  t.equal(last(), '', 'no link is followed')
  watch.select(e0, { prefixes: true, grants: false })
  watch.follow()
  const becomes = (...prefixes: string[]): Promise<unknown> => until(() => last() === [e0.ifindex, ...prefixes].join(' '))
  await becomes('2001:db8:2::/64')
  sh('ip -6 addr add 2001:db8:5::1/64 dev e0 nodad noprefixroute')
  await becomes('2001:db8:2::/64', '2001:db8:5::/64')
  sh('ip -6 addr change 2001:db8:2::1/64 dev e0 valid_lft 1000 preferred_lft 0 noprefixroute')
  await becomes('2001:db8:5::/64')
  sh('ip -6 route add 2001:db8:1::/64 dev e0')
  await becomes('2001:db8:1::/64')
  sh('ip -6 route del 2001:db8:1::/64 dev e0; ip -6 addr del 2001:db8:5::1/64 dev e0')
  await until(() => last().trim() === String(e0.ifindex))
  watch.select(e0, { prefixes: false, grants: false })
  watch.follow()
  inputs.length = 0
  sh('ip -6 addr add 2001:db8:6::1/64 dev e0 nodad noprefixroute')
  await until(() => inputs.some((input) => input.kind === 'link'))
  t.equal(last(), '', 'no longer followed')
})

t.test('the lifetimes of a new prefix are reported before the prefix', async (t) => {
  sh('ip link add g0 type veth peer name g1; ip link set g0 up; ip link set g1 up')
  const inputs: Input[] = []
  const kernel = new Rtnetlink()
  const watch = new KernelWatch(kernel, { input: (input) => inputs.push(input), enslaved: () => {}, failed: () => {}, full: () => {} })
  t.teardown(() => [watch, kernel].forEach((each) => each.close()))
  watch.startLinks()
  watch.select({ ifindex: ifindex('g0'), name: 'g0' }, { prefixes: true, grants: true })
  watch.follow()
  for (const more of ['', 'noprefixroute']) {
    for (let n = 1; n <= 10; n++) {
      inputs.length = 0
      const text = `2001:db8:${n}::/64`
      sh(`ip -6 addr add 2001:db8:${n}::1/64 dev g0 nodad valid_lft 600 preferred_lft 300 ${more}`)
      const has = (input: Input): boolean => input.kind === 'prefixes' && input.prefixes.some((prefix) => prefix.toString() === text)
      await until(() => inputs.some(has))
      const before = inputs.slice(0, inputs.findIndex(has))
      const grant = before.flatMap((input) => input.kind === 'grants' ? input.grants : []).find(({ prefix }) => prefix.toString() === text)
      t.ok(grant !== undefined && grant.valid <= 600_000 && grant.preferred <= 300_000, `${text} ${more}`)
      sh(`ip -6 addr del 2001:db8:${n}::1/64 dev g0`)
    }
  }
})
