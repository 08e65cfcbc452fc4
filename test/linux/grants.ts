/** What the grant watcher keeps of the messages of the kernel. */
import t from 'tap'
import { GrantWatcher } from '../../src/linux/grants.ts'
import type { Grant } from '../../src/engine-types.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { sole } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, makePair } from './kit/links.ts'

await ownNamespace()

/** RTM_NEWPREFIX for 2001:db8:n::/64 on a link, valid for 600 s. */
function advertised(link: number, n: number) {
  const [low, third] = [Buffer.from([link, 0, 0, 0]).toString('hex'), n.toString(16).padStart(4, '0')]
  return sole(`3c000000 3400 0000 00000000 00000000 0a000000 ${low} 03 40 03 00 14000100 20010db8 ${third} 00000000000000000000 0c000200 2c010000 58020000`)
}

t.test('a flood of prefixes costs no memory, and those that came before are still refreshed', async (t) => {
  makePair('v0', 'v1')
  sh('sysctl -qw net.ipv6.conf.v0.disable_ipv6=0')
  const kernel = new Rtnetlink()
  const link = ifindex('v0')
  let grants: readonly Grant[] = []
  const watcher = new GrantWatcher((input) => { if (input.kind === 'grants') grants = input.grants }, kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  watcher.follow(new Map([[link, 'v0']]))
  for (let n = 0; n < 5000; n++) watcher.message(advertised(link, n))
  await until(() => grants.length > 0)
  t.equal(grants.length, 256)
  t.equal(String(grants[0].prefix), '2001:db8::/64')
  const [{ valid }] = grants
  watcher.message(advertised(link, 0))
  await until(() => grants[0].valid > grants[1].valid)
  t.ok(grants[0].valid <= 600_000 && valid <= 600_000)
})

t.test('the MTU is that of IPv6 on the link, whenever it changes', async (t) => {
  makePair('m0', 'm1')
  sh('sysctl -qw net.ipv6.conf.m0.disable_ipv6=0')
  const kernel = new Rtnetlink()
  let mtu: number | undefined
  const watcher = new GrantWatcher((input) => { if (input.kind === 'grants') mtu = input.mtu }, kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  watcher.follow(new Map([[ifindex('m0'), 'm0']]))
  t.equal(mtu, 1500)
  for (const size of [1400, 1500, 1280]) {
    sh(`ip link set m0 mtu ${size}`)
    await until(() => mtu === size)
  }
  sh('ip link set m0 mtu 1200')
  await until(() => mtu === undefined, undefined, 'too small for IPv6')
})

t.test('a static address does not extend the lifetimes that a router grants', async (t) => {
  makePair('s0', 's1')
  sh('sysctl -qw net.ipv6.conf.s0.disable_ipv6=0')
  const kernel = new Rtnetlink()
  const [finite, forever] = ['::1/64 dev s0 nodad valid_lft 600 preferred_lft 300', '::2/64 dev s0 nodad']
  for (const order of [[finite, forever], [forever, finite]]) {
    sh(`ip -6 addr flush dev s0 scope global; ${order.map((each) => `ip -6 addr add 2001:db8${each}`).join('; ')}`)
    let grants: readonly Grant[] = []
    const watcher = new GrantWatcher((input) => { if (input.kind === 'grants') grants = input.grants }, kernel)
    watcher.follow(new Map([[ifindex('s0'), 's0']]))
    t.match(grants.map(({ valid }) => valid <= 600_000), [true])
    sh('ip -6 addr change 2001:db8::1/64 dev s0 valid_lft 900 preferred_lft 300')
    await until(() => grants[0].valid > 600_000 && grants[0].valid <= 900_000, undefined, 'but the router does')
    sh('ip -6 addr change 2001:db8::1/64 dev s0 valid_lft forever preferred_lft forever')
    await until(() => grants[0].valid === Infinity)
    watcher.close()
  }
  kernel.close()
})
