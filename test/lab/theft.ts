/**
 * A host that claims what is not its own: the router's address, or another VM's; and a stranger on the uplink that claims
 * ours (product: who is answered; RFC 3756 4.1.1). Thief and victim are on different downstream links: what hosts of one
 * link do to one another passes no proxy.
 */
import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Test } from 'tap'
import type { Daemon, LogRecord } from './kit/daemon.ts'
import { na, ns } from '../kit/frames.ts'
import type { Capture, Host } from './kit/lab.ts'
import { until } from '../kit/until.ts'
import { SERVER, vmAddress } from './kit/topology.ts'
import { goodMannersOf, PINNED, twoLinks } from './kit/two-links.ts'
import type { TwoLinks } from './kit/two-links.ts'

/** At 100 a second for three seconds. */
const CLAIMS = 300
const SECONDS = 4

interface AddressInfo { readonly local: string; readonly dadfailed?: boolean }

async function flood(thief: Host, frame: Uint8Array): Promise<void> {
  await thief.inject('eth0', Array<Uint8Array>(CLAIMS).fill(frame), 10)
}

interface Claim {
  readonly address: string
  readonly from: string
  /** The proxy on the thief's link. */
  readonly to: string
  readonly toMac: string
}

/** Ways to claim an address. */
const METHODS: Record<string, (thief: Host, claim: Claim) => Promise<void>> = {
  async DAD(thief, { address }) {
    const info = () => thief.show<{ addr_info: AddressInfo[] }>('addr show dev eth0')[0].addr_info
      .find(({ local }) => local === address)
    for (let i = 0; i < 3; i++) {
      thief.ip(`addr add ${address}/64 dev eth0`)
      await until(() => info()?.dadfailed)
      thief.ip(`addr del ${address}/64 dev eth0`)
    }
  },
  solicitations: (thief, { address, from }) => flood(thief, ns({ from, source: address, target: vmAddress(0xee) })),
  advertisements: (thief, { address, from }) => flood(thief, na({ from, target: address })),
  'solicited advertisements': (thief, { address, ...claim }) =>
    flood(thief, na({ ...claim, target: address, flags: 'RSO' })),
}

function conflicts(daemon: Daemon, target: string): LogRecord[] {
  return daemon.records.filter(({ event, target: of }) => event === 'conflict' && of === target)
}

/** How many datagrams for its echo server came in on a link. */
function asked({ frames }: Capture): number {
  return frames.filter(({ outgoing, hex }) => !outgoing && hex.slice(40, 42) === '11' && hex.slice(112, 116) === '0007').length
}

/** A victim for each method, that has its router at an address of its own, which is claimed as well. */
async function addVictims(stage: TwoLinks): Promise<{ name: string; vm: Host; address: string; gateway: string }[]> {
  return Promise.all(Object.keys(METHODS).map(async (name, i) => {
    const address = vmAddress(0x20 + i)
    const gateway = `2001:db8::${i + 1}:1`
    const vm = await stage.addVmOn(0, 0x20 + i)
    stage.router.ip(`addr add ${gateway}/64 dev eth0 nodad`)
    vm.ip(`route replace default via ${gateway} dev eth0`)
    return { name, vm, address, gateway }
  }))
}

/** All methods at once, against a VM on another link and a router each, under traffic. */
async function attack(t: Test, isPinned: boolean): Promise<void> {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const victims = await addVictims(stage)
  const thief = await stage.addVmOn(1, 3)
  const neighbor = await stage.addVmOn(1, 4)
  neighbor.ip(`route replace default via ${victims[2].gateway} dev eth0`)
  const hosts = isPinned ? victims.map(({ gateway }) => `host ${gateway} eth0`) : ['learn yes']
  const daemon = await stage.start(stage.config(...hosts))
  for (const vm of [...victims.map(({ vm }) => vm), neighbor, thief]) {
    t.equal(await vm.reaches(SERVER, 2000), true, `${vm.name} works`)
  }
  thief.sysctl({ 'conf/eth0/accept_dad': 1 })
  const routes = proxy.ourRoutes()
  const seen = await neighbor.capture('eth0', true)
  const traffic = { rate: 100, seconds: SECONDS, patience: 1000 }
  const ofVictims = Promise.all(victims.map(({ vm, address }) =>
    Promise.all([server.traffic(address, traffic), vm.traffic(SERVER, traffic)])))
  const ofNeighbor = server.traffic(vmAddress(4), traffic)
  await sleep(300)
  const lladdr = thief.mac('eth0')
  const claim = { from: lladdr, to: proxy.linkLocal('eth2'), toMac: proxy.mac('eth2') }
  await Promise.all(victims.flatMap(({ name, address: own, gateway }) =>
    [own, gateway].map((address) => METHODS[name](thief, { ...claim, address }))))
  for (const [i, [there, back]] of (await ofVictims).entries()) {
    const { name, address, gateway } = victims[i]
    t.match([there, back], [{ lost: 0 }, { lost: 0 }], `${name}: the VM and the world lose nothing`)
    for (const target of [address, gateway]) {
      const said = conflicts(daemon, target)
      t.match(said, [{ lladdr, iface: 'eth2', target }], `${name}: it is said once who claims ${target}`)
    }
  }
  const { lost } = await ofNeighbor
  t.comment(`on the thief's own link ${lost} of ${SECONDS * 100} answers are lost`)
  t.equal(asked(seen), SECONDS * 100, 'what the world sends to the thief\'s own link arrives, all of it')
  t.same(proxy.ourRoutes(), routes)
  for (const { address } of victims) t.match(proxy.show(`route show ${address}`), [{ dev: 'eth1' }], 'its route stays')
  goodMannersOf(t, stage)
}

t.test('neither the address of a VM nor that of a pinned router can be taken', (t) => attack(t, true))
t.test('nor that of a router that is known, but not pinned', (t) => attack(t, false))

t.test('a stranger on the uplink that claims a VM\'s address is told of, and the VM keeps its route', async (t) => {
  const stage = await twoLinks(t)
  const { proxy } = stage
  const vm = await stage.addVmOn(0, 2)
  const stranger = await stage.addNeighbor('stranger')
  const daemon = await stage.start(stage.config())
  t.equal(await vm.reaches(SERVER, 2000), true)
  const from = stranger.mac('eth0')
  const claim = { from, source: vmAddress(2), target: vmAddress(2) }
  const toProxy = { to: proxy.linkLocal('eth0'), toMac: proxy.mac('eth0') }
  // When a host is new, whoever is upstream is asked as well: for a second an answer from there is right.
  await sleep(1100)
  // The kernel's word that it lives is no new question.
  proxy.ip(`neigh replace ${vmAddress(2)} dev eth1 lladdr ${vm.mac('eth0')} nud stale`,
    `neigh replace ${vmAddress(2)} dev eth1 lladdr ${vm.mac('eth0')} nud reachable`)
  await Promise.all([flood(stranger, na(claim)), flood(stranger, na({ ...claim, ...toProxy, flags: 'SO' }))])
  t.match(conflicts(daemon, vmAddress(2)), [{ lladdr: from, iface: 'eth0' }], 'said once')
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

if (spawnSync('which', ['atk6-parasite6']).status === 0) t.test('the tools of thc-ipv6 take nothing either', async (t) => {
  const stage = await twoLinks(t)
  const { server, proxy } = stage
  const victim = await stage.addVmOn(0, 2)
  const thief = await stage.addVmOn(1, 3)
  const daemon = await stage.start(stage.config(PINNED))
  for (const vm of [victim, thief]) t.equal(await vm.reaches(SERVER, 2000), true, `${vm.name} works`)
  for (const [tool, args] of Object.entries(TOOLS)) {
    const proc = thief.spawn([tool, ...args])
    const traffic = { rate: 100, seconds: 2, patience: 1000 }
    t.match(await Promise.all([server.traffic(vmAddress(2), traffic), victim.traffic(SERVER, traffic)]),
      [{ lost: 0 }, { lost: 0 }], `${tool}: nothing lost`)
    if (proc.running) process.kill(-proc.pid, 'SIGKILL')      // with the children of its own
    await proc.exited
    t.match(proxy.show(`route show ${vmAddress(2)}`), [{ dev: 'eth1' }])
  }
  t.match(conflicts(daemon, vmAddress(2))[0], { iface: 'eth2' }, 'it is said who claims the address')
})
