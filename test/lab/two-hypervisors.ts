/**
 * Two machines with ndp6d on one upstream /64, each with a bridge of its own. A VM moves from one to the other under traffic, and a host
 * at the second machine claims the address of a VM at the first one.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { na } from '../kit/frames.ts'
import { Daemon } from './kit/daemon.ts'
import type { Host } from './kit/lab.ts'
import { CONFIG, ROUTER, type Scene, scene, SERVER, until, vmAddress } from './kit/scene.ts'

const [VM, NEAR, FAR] = [2, 3, 4].map(vmAddress)
/** Milliseconds. A few seconds are expected, and the rest is for a busy machine. */
const LIMIT = 10_000

interface Stage extends Scene {
  readonly second: Host
  readonly vm: Host
  readonly near: Host
  readonly far: Host
  readonly daemons: readonly [Daemon, Daemon]
  move(vm: Host, to: 'br0' | 'br1'): void
}

/** The bridges br0 and br1 are beside the two machines, so that a VM keeps its carrier, as in a live migration. */
async function stageOf(t: Test): Promise<Stage> {
  const stage = await scene(t, [2, 3, 4])
  const { lab, outside, inside, vms: [vm, near, far], server } = stage
  const second = await lab.host('second', { forwarding: true })
  inside.ip('link add br1 address 02:00:00:00:b1:ff type bridge mcast_snooping 0', 'link set br1 up')
  lab.link(second, 'eth0', outside, 'second')
  lab.link(second, 'eth1', inside, 'second')
  const move = (host: Host, bridge: string): void => inside.ip(`link set ${host.name} master ${bridge}`)
  inside.ip('link set second master br1')
  move(far, 'br1')
  second.ip('addr add 2001:db8::fe/64 dev eth0', `route add default via ${ROUTER}`)
  const daemons = [await stage.start(), await new Daemon(lab, second, CONFIG).ready()] as const
  await until(async () => (await Promise.all([VM, NEAR, FAR].map((to) => server.reaches(to, 500)))).every(Boolean))
  for (const host of [near, far]) await until(() => host.reaches(VM, 500))
  return { ...stage, second, vm, near, far, daemons, move }
}

/** Moves the VM under traffic. @returns the longest gap of each way in milliseconds */
async function gaps({ server, vm }: Stage, move: () => Promise<unknown> | void): Promise<Record<string, number>> {
  const options = { rate: 50, seconds: 12, patience: 500 }
  const ways = { 'server to VM': server.traffic(VM, options), 'VM to server': vm.traffic(SERVER, options) }
  await sleep(1000)
  await move()
  const reports = await Promise.all(Object.entries(ways).map(async ([way, report]) => [way, (await report).longestGap] as const))
  return Object.fromEntries(reports)
}

function check(t: Test, found: Record<string, number>): void {
  t.comment(`longest gaps: ${Object.entries(found).map(([way, ms]) => `${way} ${ms} ms`).join(', ')}`)
  t.same(Object.entries(found).filter(([, ms]) => ms > LIMIT), [], 'no long outage')
}

t.test('there and back again, with an announcement', async (t) => {
  const stage = await stageOf(t)
  const { vm, move } = stage
  const announce = (): Promise<unknown> => vm.inject('eth0', [na({ from: vm.mac('eth0'), target: VM })])
  for (const bridge of ['br1', 'br0'] as const) {
    check(t, await gaps(stage, () => {
      move(vm, bridge)
      return announce()
    }))
  }
})

t.test('the first machine is switched off, and the VM starts again at the second', async (t) => {
  const stage = await stageOf(t)
  const { vm, proxy, daemons, move } = stage
  check(t, await gaps(stage, async () => {
    proxy.ip('link set eth0 down', 'link set eth1 down')
    await daemons[0].kill()
    move(vm, 'br1')
    vm.ip('neigh flush dev eth0')
  }))
})

t.test('a host at the second machine does not get the address of a VM that answers', async (t) => {
  const stage = await stageOf(t)
  const { server, vm, far: thief, second, proxy, daemons } = stage
  const [from, mac] = [thief.mac('eth0'), second.mac('eth0')]
  const traffic = [server.traffic(VM, { rate: 100, seconds: 6, patience: 2000 }), vm.traffic(SERVER, { rate: 100, seconds: 6, patience: 2000 })]
  thief.ip(`addr add ${VM}/64 dev eth0 nodad`)
  await thief.inject('eth0', Array<Uint8Array>(25).fill(na({ from, target: VM })), 200)
  t.match(await Promise.all(traffic), [{ lost: 0 }, { lost: 0 }])
  t.ok(!second.ourRoutes().includes(VM))
  t.ok(proxy.ourRoutes().includes(VM))
  t.ok(daemons[0].records.some(({ event, lladdr }) => ['conflict', 'proxy'].includes(String(event)) && lladdr === mac), 'reported')
})
