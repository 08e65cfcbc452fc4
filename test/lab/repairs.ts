/** A forged advertisement with O=1 on a shared bridge: the kernel believes it, and ndp6d sets the kernel's entry back. */
import t from 'tap'
import { na } from '../kit/frames.ts'
import { CONFIG, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const TARGET = vmAddress(2)
/** The kernel itself asks again after about 8 s at the earliest: DELAY_FIRST_PROBE_TIME and three probes. */
const SOON = 4000

function lladdr({ proxy }: Scene): string | undefined {
  return proxy.show<{ lladdr?: string }>(`neigh show ${TARGET} dev eth1`)[0]?.lladdr
}

async function known(stage: Scene): Promise<void> {
  const { server, vms: [victim, thief] } = stage
  await until(() => server.reaches(TARGET))
  await until(() => thief.reaches(SERVER))
  await until(() => lladdr(stage) === victim.mac('eth0'))
}

t.test('the entry of the kernel is set back, ten times in a row', async (t) => {
  const stage = await scene(t, [2, 3])
  const { server, proxy, vms: [victim, thief] } = stage
  const daemon = await stage.start()
  await known(stage)
  const forged = na({ from: thief.mac('eth0'), target: TARGET, flags: 'O' })
  const gaps: number[] = []
  const watch = proxy.spawn(['ip', '-6', 'monitor', 'neigh'])
  await until(() => {
    proxy.ip('neigh replace 2001:db8::77 lladdr 02:00:00:00:00:77 dev eth1', 'neigh del 2001:db8::77 dev eth1')
    return watch.lines.length > 0
  })
  for (let n = 1; n <= 10; n++) {
    const traffic = server.traffic(TARGET, { rate: 50, seconds: 2, patience: SOON })
    const before = watch.lines.length
    // One frame: a second one, still on its way, would undo what the test has just seen.
    await thief.inject('eth0', [forged])
    await until(() => watch.lines.slice(before).some((line) => line.includes(`${TARGET} dev eth1 lladdr ${thief.mac('eth0')}`)), SOON,
      'the kernel believes the thief')
    await until(() => lladdr(stage) === victim.mac('eth0'), SOON)
    t.equal(await server.reaches(TARGET, SOON), true, `traffic is back the ${n}. time`)
    gaps.push((await traffic).longestGap)
  }
  t.comment(`longest gaps: ${gaps.join(' ')} ms`)
  t.ok(gaps.every((gap) => gap < 1500))
  const { repaired } = await daemon.counters()
  t.ok(repaired >= 10, `counted (${repaired})`)
})

t.test('not with `neighbor-repair no`', async (t) => {
  const stage = await scene(t, [2, 3])
  const { vms: [, thief] } = stage
  const daemon = await stage.start(CONFIG.replace('}', '  neighbor-repair no\n}'))
  await known(stage)
  await thief.inject('eth0', [na({ from: thief.mac('eth0'), target: TARGET, flags: 'O' })])
  await until(() => lladdr(stage) === thief.mac('eth0'))
  await until(() => daemon.records.some(({ event }) => event === 'conflict'))
  t.equal(lladdr(stage), thief.mac('eth0'))
  t.equal((await daemon.counters()).repaired, 0)
})
