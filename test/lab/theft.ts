/** Claims by real tools, and by a host on the uplink (RFC 3756 4.1.1). `scenario/theft.ts` has the ways to claim an address. */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { na } from '../kit/frames.ts'
import type { Daemon, LogRecord } from './kit/daemon.ts'
import { goodMannersOf, type Host, PINNED, SERVER, twoLinks, vmAddress } from './kit/two-links.ts'

/** At 100 a second. */
const CLAIMS = 300

const flood = (thief: Host, frame: Uint8Array) => thief.inject('eth0', Array<Uint8Array>(CLAIMS).fill(frame), 10)

function conflicts(daemon: Daemon, target: string): LogRecord[] {
  return daemon.records.filter(({ event, target: of }) => event === 'conflict' && of === target)
}

t.test('a claim of a VM\'s address on the uplink is reported, and the VM keeps its route', async (t) => {
  const stage = await twoLinks(t)
  const { proxy } = stage
  const vm = await stage.addVmOn(0, 2)
  const thief = await stage.addNeighbor('thief')
  const daemon = await stage.start(stage.config())
  t.equal(await vm.reaches(SERVER, 5000), true)
  const from = thief.mac('eth0')
  const claim = { from, target: vmAddress(2) }
  const toProxy = { to: proxy.linkLocal('eth0'), toMac: proxy.mac('eth0') }
  // A target is probed on the upstream as well: for a second an answer from there is a proof.
  await sleep(1100)
  // Evidence of the kernel starts no probe there.
  proxy.ip(`neigh replace ${vmAddress(2)} dev eth1 lladdr ${vm.mac('eth0')} nud stale`,
    `neigh replace ${vmAddress(2)} dev eth1 lladdr ${vm.mac('eth0')} nud reachable`)
  await Promise.all([flood(thief, na(claim)), flood(thief, na({ ...claim, ...toProxy, flags: 'SO' }))])
  t.match(conflicts(daemon, vmAddress(2)), [{ lladdr: from, iface: 'eth0' }], 'reported once')
  const { conflict } = await daemon.counters()
  t.ok(conflict >= 2 * CLAIMS, `each is counted (${conflict})`)
  t.match(proxy.show('route show proto 136'), [{ dst: vmAddress(2), dev: 'eth1' }])
  goodMannersOf(t, stage)
})

/** Attacks of the thc-ipv6 package on what the thief can see, and on one address. */
const TOOLS: Record<string, readonly string[]> = {
  'atk6-fake_advertise6': ['-r', '-w', '0', '-n', '300', 'eth0', vmAddress(2)],
  'atk6-fake_solicitate6': ['eth0', vmAddress(2)],
  'atk6-parasite6': ['-l', '-R', 'eth0'],
  'atk6-dos-new-ip6': ['eth0'],
}

if (spawnSync('which', ['atk6-parasite6']).status === 0) t.test('the tools of thc-ipv6 take no address', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const victim = await stage.addVmOn(0, 2)
  const thief = await stage.addVmOn(1, 3)
  const daemon = await stage.start(stage.config(PINNED))
  for (const vm of [victim, thief]) t.equal(await vm.reaches(SERVER, 5000), true, `${vm.name} works`)
  for (const [tool, args] of Object.entries(TOOLS)) {
    const proc = thief.spawn([tool, ...args])
    const traffic = { rate: 100, seconds: 2, patience: 5000 }
    t.match(await Promise.all([server.traffic(vmAddress(2), traffic), victim.traffic(SERVER, traffic)]),
      [{ lost: 0 }, { lost: 0 }], `${tool}: nothing lost`)
    if (proc.running) process.kill(-proc.pid, 'SIGKILL')      // with the children of its own
    await proc.exited
    t.match(proxy.show(`route show ${vmAddress(2)}`), [{ dev: 'eth1' }])
  }
  t.match(conflicts(daemon, vmAddress(2))[0], { iface: 'eth2' }, 'the claimant is reported')
})
