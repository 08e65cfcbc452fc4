/** Several solicitors at once, and many solicitations at once: each is answered. */
import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import { ns } from '../kit/frames.ts'
import { allAnswered } from '../kit/manners.ts'
import { type Capture, type CapturedFrame, CONFIG, goodManners, scene, until, vmAddress } from './kit/scene.ts'

const pinning = (targets: readonly string[]): string =>
  CONFIG.replace('}', `${targets.map((target) => `host ${target} eth1`).join('\n')}\n}`)

/** Answers that left this link. */
function answers(capture: Capture, target?: string): CapturedFrame[] {
  return capture.of('NA', target).filter((na) => na.outgoing && na.flags.includes('S'))
}

t.test('two routers that solicit the same unknown target within a second are both answered', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  const second = await stage.addNeighbor('second')
  second.ip('addr add 2001:db8::fd/64 dev eth0 nodad')
  await stage.start()
  const vm2 = await stage.addVm(2)
  t.same(await Promise.all([router, second].map((host) => host.reaches(vmAddress(2), 5000))), [true, true])
  for (const host of [router, second]) {
    t.ok(answers(eth0, vmAddress(2)).some((na) => na.to === host.mac('eth0')), `${host.name} has an answer of its own`)
  }
  t.equal(await vm2.reaches('2001:db8::fd', 5000), true, 'and the VM reaches the second router')
  goodManners(t, stage)
})

t.test('solicitations for 1000 pinned hosts in a burst: each is answered', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  const targets = Array.from({ length: 1000 }, (_, i) => `2001:db8::1:${(i + 1).toString(16)}`)
  await stage.start(pinning(targets))
  const solicitor = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  const missing = () => {
    const answered = new Set(answers(eth0).map((na) => na.target))
    return targets.filter((target) => !answered.has(target))
  }
  await router.inject('eth0', targets.map((target) => ns({ ...solicitor, target })))
  // As a router does after RETRANS_TIMER: a busy machine may lose some of a burst.
  await until(() => missing().length === 0, 1000).catch(() => {})
  t.ok(missing().length < targets.length / 2, `${targets.length - missing().length} answered at the first attempt`)
  await until(async () => {
    const again = missing()
    await router.inject('eth0', again.map((target) => ns({ ...solicitor, target })), 5)
    return again.length === 0
  })
  t.ok(answers(eth0).every((na) => na.destination === solicitor.source && na.to === solicitor.from && na.flags === 'RS'))
  goodManners(t, stage)
})

t.test('while thousands of routes are added, solicitations for a routed host are answered, and then those for a new one', async (t) => {
  const stage = await scene(t, [])
  const { router, proxy, eth0 } = stage
  const [known, last] = ['2001:db8::5', '2001:db8::6']
  const daemon = await stage.start(pinning([known]))
  const solicitor = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  daemon.reload(pinning([known, ...Array.from({ length: 2000 }, (_, i) => `2001:db8::1:${i.toString(16)}`), last]))
  const both = [known, last].map((target) => ns({ ...solicitor, target }))
  for (let rounds = 0; answers(eth0, last).length === 0; rounds++) {
    if (rounds === 1000) throw new Error(`no answer for ${last}`)
    await router.inject('eth0', Array<Uint8Array[]>(10).fill(both).flat(), 2)
  }
  await until(() => proxy.ourRoutes().length === 2002)
  const solicitations = eth0.of('NS', known).filter(({ outgoing }) => !outgoing)
  await allAnswered(t, () => eth0.frames, solicitations, sleep)
  goodManners(t, stage)
})
