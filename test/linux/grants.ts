/** What the grant watcher keeps of the messages of the kernel. */
import t, { type Test } from 'tap'
import { GrantWatcher } from '../../src/linux/grants.ts'
import type { Grant } from '../../src/engine-types.ts'
import { Rtnetlink } from '../../src/linux/rtnetlink.ts'
import { sole } from '../fixtures/fake-kernel.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, makePair } from './kit/links.ts'

await ownNamespace()

/** Addresses in one prefix, as ip-address(8) takes them: of the router, and of an administrator. */
const [FINITE, FOREVER] = ['2001:db8::1/64 valid_lft 600 preferred_lft 300', '2001:db8::2/64']

const QUIET = { macOf: () => undefined, failed: () => {} }

/** RTM_NEWPREFIX for 2001:db8:n::/64 on a link. @param valid seconds, as bytes in hexadecimal (600) */
function advertised(link: number, n: number, valid = '58020000') {
  const [low, third] = [Buffer.from([link, 0, 0, 0]).toString('hex'), n.toString(16).padStart(4, '0')]
  return sole(`3c000000 3400 0000 00000000 00000000 0a000000 ${low} 03 40 03 00 14000100 20010db8 ${third} 00000000000000000000 0c000200 2c010000 ${valid}`)
}

t.test('a flood of prefixes costs no memory, and those that came before are still refreshed', async (t) => {
  makePair('v0', 'v1')
  sh('sysctl -qw net.ipv6.conf.v0.disable_ipv6=0')
  const kernel = new Rtnetlink()
  const link = ifindex('v0')
  let grants: readonly Grant[] = []
  const watcher = new GrantWatcher({ ...QUIET, input: (input) => { if (input.kind === 'grants') grants = input.grants } }, kernel)
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
  const watcher = new GrantWatcher({ ...QUIET, input: (input) => { if (input.kind === 'grants') mtu = input.mtu } }, kernel)
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

/** Follows the link. @returns the last report */
function follow(t: Test, name: string) {
  const last: { grants: readonly Grant[] } = { grants: [] }
  const kernel = new Rtnetlink()
  const watcher = new GrantWatcher({ ...QUIET, input: (input) => { if (input.kind === 'grants') last.grants = input.grants } }, kernel)
  t.teardown(() => [watcher, kernel].forEach((each) => each.close()))
  watcher.follow(new Map([[ifindex(name), name]]))
  return { watcher, last }
}

for (const [i, order] of [[FINITE, FOREVER], [FOREVER, FINITE]].entries()) {
  const name = `s${i}`
  t.test(`a static address does not extend the lifetimes that a router grants: order ${i}`, async (t) => {
    makePair(name, `${name}p`)
    sh(`sysctl -qw net.ipv6.conf.${name}.disable_ipv6=0; ${order.map((each) => `ip -6 addr add ${each} dev ${name} nodad`).join('; ')}`)
    const { last } = follow(t, name)
    t.match(last.grants.map(({ valid }) => valid <= 600_000), [true])
    sh(`ip -6 addr change 2001:db8::1/64 dev ${name} valid_lft 900 preferred_lft 300`)
    await until(() => last.grants[0].valid > 600_000 && last.grants[0].valid <= 900_000, undefined, 'but the router does')
    sh(`ip -6 addr change 2001:db8::1/64 dev ${name} valid_lft forever preferred_lft forever`)
    await until(() => last.grants[0].valid === Infinity)
  })
}

t.test('the lifetimes of a static address apply once the address from the router is gone', async (t) => {
  makePair('d0', 'd1')
  sh(`sysctl -qw net.ipv6.conf.d0.disable_ipv6=0; ip -6 addr add ${FINITE} dev d0 nodad; ip -6 addr add ${FOREVER} dev d0 nodad`)
  const { last } = follow(t, 'd0')
  t.match(last.grants.map(({ valid }) => valid <= 600_000), [true])
  sh('ip -6 addr del 2001:db8::1/64 dev d0')
  await until(() => last.grants.length === 1 && last.grants[0].valid === Infinity)
  sh('ip -6 addr del 2001:db8::2/64 dev d0')
  await until(() => last.grants.length === 0)
})

t.test('the lifetimes of a static address apply once those that a router advertised are over', async (t) => {
  makePair('e0', 'e1')
  sh(`sysctl -qw net.ipv6.conf.e0.disable_ipv6=0; ip -6 addr add ${FOREVER} dev e0 nodad`)
  const { watcher, last } = follow(t, 'e0')
  t.equal(last.grants[0].valid, Infinity)
  watcher.message(advertised(ifindex('e0'), 0, '01000000'))
  await until(() => last.grants[0].valid <= 1000)
  sh('ip -6 addr add 2001:db8::1/64 dev e0 nodad valid_lft 1 preferred_lft 1')
  await until(() => last.grants[0]?.valid === Infinity, undefined, 'the kernel deletes the address')
})
