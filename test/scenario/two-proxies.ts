/** Two machines with ndp6d on one upstream, each with hosts of the same /64 behind it. */
import t from 'tap'
import {
  CONFIG, ETH0, ETH1, everySeed, GUSTY, Host, numbers, ProxyHost, ROUTER, Segment, STORM, story, textOf, vmAddress,
} from './kit/story.ts'

const OURS = numbers(2, 4)
const THEIRS = numbers(5, 7)

function end(inside: readonly number[]): string[] {
  return [`${ROUTER} eth0`, ...[...OURS, ...THEIRS].map((n) => `${vmAddress(n)} ${inside.includes(n) ? 'eth1 routed' : 'eth0'}`)]
}

t.test('each serves its own hosts, and reaches those of the other through the other', async (t) => {
  everySeed(t, [...end(OURS), ...end(THEIRS), 'all reached'], (world) => {
    const ours = story(world)
    const { outside, router, addVm } = ours
    const inside = new Segment(world)
    const other = new ProxyHost(world, CONFIG, 0xfe00)
    const mac0 = other.attach(ETH0, 'eth0', outside, vmAddress(0xfe))
    const mac1 = other.attach(ETH1, 'eth1', inside)
    for (const [proxy, strangers] of [[ours.proxy, THEIRS], [other, OURS]] as const) {
      proxy.onRoute = ({ op, route: { target, ifindex } }) => {
        const isTheirs = strangers.some((n) => vmAddress(n) === target.toString())
        if (op === 'add' && (isTheirs || ifindex !== ETH1)) throw new Error(`a route for ${target} on link ${ifindex}`)
      }
    }
    world.weather = STORM
    const vms = [...OURS.map(addVm), ...THEIRS.map((n) => new Host(inside, n, vmAddress(n)))]
    for (const [i, vm] of vms.entries()) {
      const [near, far] = i < 3 ? [OURS, THEIRS] : [THEIRS, OURS]
      world.after(world.random() * 10_000, () => {
        const targets = [ROUTER, ...far.map(vmAddress), vmAddress(near[0])]
        for (const target of targets) if (!vm.addresses.has(target)) vm.talk(target, 3000)
      })
      world.after(world.random() * 10_000, () => router.talk(vmAddress(i + 2), 3000))
    }
    world.run(40_000)
    world.weather = GUSTY
    world.run(100_000)
    const isReached = vms.every((vm, i) => {
      const [far, gate] = i < 3 ? [THEIRS, ours.mac1] : [OURS, mac1]
      return router.reaches(vmAddress(i + 2)) === (i < 3 ? ours.mac0 : mac0)
        && [ROUTER, ...far.map(vmAddress)].every((target) => vm.reaches(target) === gate)
    })
    return [...ours.proxy.owners.filter(isOwn), ...other.owners.filter(isOwn), isReached ? 'all reached' : 'not all reached']
  })
})

t.test('two on the same two links: the answers of one make no owner for the other', async (t) => {
  const far = vmAddress(9)
  everySeed(t, ['3 routed', 'all reached'], (world) => {
    const { outside, inside, router, proxy, addVm, mac0, mac1 } = story(world)
    const other = new ProxyHost(world, CONFIG, 0xfe00)
    const gates0 = [mac0, other.attach(ETH0, 'eth0', outside, vmAddress(0xfe))]
    const gates1 = [mac1, other.attach(ETH1, 'eth1', inside)]
    const hosts = OURS.map(vmAddress)
    for (const one of [proxy, other]) {
      one.onRoute = ({ op, route: { target, ifindex } }) => {
        if (op === 'add' && (ifindex !== ETH1 || !hosts.includes(textOf(target)))) throw new Error(`a route for ${target}`)
      }
    }
    world.weather = STORM
    const vms = OURS.map(addVm)
    const peer = new Host(outside, 9, far)
    for (const solicitor of [router, peer]) {
      world.after(world.random() * 10_000, () => { for (const target of hosts) solicitor.talk(target, 3000) })
    }
    world.after(world.random() * 10_000, () => router.talk(far, 3000))
    for (const vm of vms) {
      world.after(world.random() * 10_000, () => { for (const target of [ROUTER, far]) vm.talk(target, 3000) })
    }
    world.run(40_000)
    world.weather = GUSTY
    world.run(100_000)
    const isReached = [router, peer].every((solicitor) => hosts.every((target) => gates0.includes(solicitor.reaches(target)!)))
      && vms.every((vm) => [ROUTER, far].every((target) => gates1.includes(vm.reaches(target)!))) && router.reaches(far) === peer.mac
    // One of the two is enough: the other one may take it for the owner, and reach the VM through it.
    const routed = hosts.filter((target) => proxy.routes.has(target) || other.routes.has(target))
    return [`${routed.length} routed`, isReached ? 'all reached' : 'not all reached']
  })
})

t.test('two on the same two links: each reports the other once a link, and no conflict', async (t) => {
  everySeed(t, ['at most 2', 'at most 2', 'no conflicts'], (world) => {
    const { outside, inside, router, proxy, addVm } = story(world)
    const other = new ProxyHost(world, CONFIG, 0xfe00)
    other.attach(ETH0, 'eth0', outside, vmAddress(0xfe))
    other.attach(ETH1, 'eth1', inside)
    const own = [vmAddress(0xfe), vmAddress(0xff)]
    for (const vm of OURS.map(addVm)) world.after(world.random() * 10_000, () => { for (const target of [ROUTER, ...own]) vm.talk(target, 3000) })
    world.after(world.random() * 10_000, () => { for (const target of [...OURS.map(vmAddress), ...own]) router.talk(target, 3000) })
    world.run(100_000)
    const counts = [proxy, other].map(({ events }) => events.filter(({ kind }) => kind === 'proxy').length)
    const conflicts = [proxy, other].flatMap(({ events }) => events.filter(({ kind }) => kind === 'conflict'))
    return [...counts.map((count) => count <= 2 ? 'at most 2' : `${count}`), conflicts.length === 0 ? 'no conflicts' : `${conflicts.length}`]
  })
})

/** @returns whether it is none of the proxies' own addresses */
function isOwn(owner: string): boolean { return !/::f[ef] /.test(owner) }
