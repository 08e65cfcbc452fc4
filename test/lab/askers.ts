/** Several who ask at once, and many questions at once: each gets its own answer (product: who is answered). */
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { until } from '../kit/until.ts'
import { goodManners, scene } from './kit/scene.ts'
import { CONFIG, vmAddress } from './kit/topology.ts'

t.test('two routers that ask for the same unknown target within a second are both answered', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  const second = await stage.addNeighbor('second')
  second.ip('addr add 2001:db8::fd/64 dev eth0 nodad')
  await stage.start()
  const vm2 = await stage.addVm(2)
  const reached = await Promise.all([router.reaches(vmAddress(2), 2000), second.reaches(vmAddress(2), 2000)])
  t.same(reached, [true, true])
  const answers = eth0.of('NA', vmAddress(2)).filter((na) => na.outgoing)
  for (const asker of [router, second]) {
    t.ok(answers.some((na) => na.to === asker.mac('eth0')), `${asker.name} has an answer of its own`)
  }
  t.equal(await vm2.reaches('2001:db8::fd', 2000), true, 'and the VM reaches the second router')
  goodManners(t, stage)
})

t.test('a burst of 1000 solicitations for 1000 pinned hosts gets 1000 answers', async (t) => {
  const stage = await scene(t, [])
  const { router, eth0 } = stage
  const targets = Array.from({ length: 1000 }, (_, i) => `2001:db8::1:${(i + 1).toString(16)}`)
  await stage.start(CONFIG.replace('}', `${targets.map((target) => `host ${target} eth1`).join('\n')}\n}`))
  const asker = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  await router.inject('eth0', targets.map((target) => ns({ ...asker, target })))
  const answers = () => eth0.of('NA').filter((na) => na.outgoing && na.flags.includes('S'))
  await until(() => answers().length >= 1000).catch(() => {})
  const times = answers().map((na) => na.at)
  t.equal(answers().length, 1000)
  t.same([...new Set(answers().map((na) => na.target))].sort(), [...targets].sort(), 'one for each')
  t.ok(answers().every((na) => na.destination === asker.source && na.to === asker.from && na.flags === 'RS'))
  const took = times[times.length - 1] - eth0.of('NS')[0].at
  t.ok(took < 1000, `the last one after ${Math.round(took)} ms`)
  goodManners(t, stage)
})

t.test('while thousands of routes are made, who asks for another target does not wait for them', async (t) => {
  const stage = await scene(t, [])
  const { router, proxy, eth0 } = stage
  const withHosts = (targets: readonly string[]) => CONFIG.replace('}', `${targets.map((target) => `host ${target} eth1`).join('\n')}\n}`)
  const [known, last] = ['2001:db8::5', '2001:db8::6']
  const daemon = await stage.start(withHosts([known]))
  // A routing daemon that does not read: a moment is waited for it, then it goes on slowly.
  const stuck = proxy.spawn(['ip', '-6', 'monitor', 'route'])
  await until(() => / 0 +\d+ +00000400 /.test(proxy.exec('cat', '/proc/self/net/netlink')))
  stuck.child.kill('SIGSTOP')
  const asker = { from: router.mac('eth0'), source: router.linkLocal('eth0') }
  daemon.reload(withHosts([known, ...Array.from({ length: 2000 }, (_, i) => `2001:db8::1:${i.toString(16)}`), last]))
  await router.inject('eth0', Array.from({ length: 300 }, () => [known, last]).flat().map((target) => ns({ ...asker, target })), 2)
  const answers = (target: string) => eth0.of('NA', target).filter((na) => na.outgoing && na.flags.includes('S'))
  const [{ at }] = answers(last)
  t.ok(answers(known).filter((na) => na.at > at - 100 && na.at < at - 5).length > 10, 'answered while the other one waits for its route')
  t.equal(proxy.ourRoutes().length, 2002)
  goodManners(t, stage)
})
