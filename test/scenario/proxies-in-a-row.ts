/**
 * Proxies in a row, all with the same five lines:
 *
 *     router ==== eth0 [p] eth1 ==== eth0 [q] eth1 ==== ...
 */
import t from 'tap'
import {
  CONFIG, ETH0, ETH1, everySeed, GUSTY, Host, numbers, ProxyHost, ROUTER, Segment, STORM, vmAddress, type World,
} from './kit/story.ts'

interface Hop {
  readonly proxy: ProxyHost
  readonly mac0: string
  readonly mac1: string
  /** The segment of eth1. */
  readonly inside: Segment
}

/** @returns a router and `n` proxies in a row; the addresses of the proxies are ::ff, ::fe ... on eth0 */
function row(world: World, n: number): { router: Host; outside: Segment; hops: Hop[] } {
  const outside = new Segment(world)
  const router = new Host(outside, 1, ROUTER)
  router.route()
  const hops: Hop[] = []
  for (let i = 0; i < n; i++) {
    const proxy = new ProxyHost(world, CONFIG, 0xff00 - 0x100 * i)
    const mac0 = proxy.attach(ETH0, 'eth0', hops.at(-1)?.inside ?? outside, vmAddress(0xff - i))
    const inside = new Segment(world)
    hops.push({ proxy, mac0, mac1: proxy.attach(ETH1, 'eth1', inside), inside })
  }
  return { router, outside, hops }
}

const isGuest = (owner: string): boolean => !/::f[d-f] /.test(owner)
const owners = ({ proxy }: Hop): string[] => proxy.owners.filter(isGuest)
const everywhere = (hosts: readonly number[], where: string): string[] => hosts.map((n) => `${vmAddress(n)} ${where}`)

/** Each host sends to all other addresses of the list. */
function gossip(world: World, hosts: readonly (readonly [Host, string])[]): void {
  for (const [host] of hosts) {
    world.after(world.random() * 10_000, () => { for (const [, target] of hosts) if (!host.addresses.has(target)) host.talk(target, 3000) })
  }
}

t.test('two: guests in the middle and behind the second proxy reach each other and the router', async (t) => {
  const [MIDDLE, FAR] = [numbers(2, 3), numbers(4, 6)]
  const end = [`${ROUTER} eth0`, ...everywhere([...MIDDLE, ...FAR], 'eth1 routed'),
    `${ROUTER} eth0`, ...everywhere(MIDDLE, 'eth0'), ...everywhere(FAR, 'eth1 routed'), 'all reached', 'no conflicts']
  everySeed(t, end, (world) => {
    const { router, hops, hops: [p, q] } = row(world, 2)
    world.weather = STORM
    const middle = MIDDLE.map((n) => new Host(p.inside, n, vmAddress(n)))
    const far = FAR.map((n) => new Host(q.inside, n, vmAddress(n)))
    gossip(world, [[router, ROUTER], ...middle.map((host, i) => [host, vmAddress(MIDDLE[i])] as const),
      ...far.map((host, i) => [host, vmAddress(FAR[i])] as const)])
    world.run(40_000)
    world.weather = GUSTY
    world.run(100_000)
    const isReached = [...MIDDLE, ...FAR].every((n) => router.reaches(vmAddress(n)) === p.mac0)
      && middle.every((host) => host.reaches(ROUTER) === p.mac1 && FAR.every((n) => host.reaches(vmAddress(n)) === q.mac0))
      && far.every((host) => [ROUTER, ...MIDDLE.map(vmAddress)].every((target) => host.reaches(target) === q.mac1))
    const conflicts = hops.flatMap(({ proxy }) => proxy.events.filter(({ kind }) => kind === 'conflict'))
    return [...owners(p), ...owners(q), isReached ? 'all reached' : 'not all reached', conflicts.length === 0 ? 'no conflicts' : `${conflicts.length}`]
  })
})

t.test('a guest behind the last of three is found before the router gives up, and nobody asks for a missing host for ever', async (t) => {
  const [FAR, NOBODY] = [vmAddress(4), vmAddress(9)]
  everySeed(t, ['eth1 routed', 'eth1 routed', 'eth1 routed', 'reached within 3 s', 'few solicitations'], (world) => {
    const { router, outside, hops } = row(world, 3)
    const guest = new Host(hops[2].inside, 4, FAR)
    guest.isShy = true
    world.run(45_000)
    router.use(FAR)
    world.run(3000)
    const isReached = router.reaches(FAR) === hops[0].mac0
    const found = hops.map(({ proxy }) => proxy.owners.find((owner) => owner.startsWith(`${FAR} `))?.replace(`${FAR} `, '') ?? 'none')
    let solicitations = 0
    for (const segment of [outside, ...hops.map(({ inside }) => inside)]) {
      segment.onFrame = ({ content: { kind, target } }) => { if (kind === 'NS' && target === NOBODY) solicitations++ }
    }
    router.use(NOBODY)
    world.run(300_000)
    // Three by the router, and four by each of the proxies.
    return [...found, isReached ? 'reached within 3 s' : 'not reached', solicitations <= 15 ? 'few solicitations' : `${solicitations} solicitations`]
  })
})

t.test('a guest moves from the middle behind the second proxy and back', async (t) => {
  const GUEST = vmAddress(4)
  const near = [`${GUEST} eth1 routed`, `${GUEST} eth0`, 'via guest', 'router -> p', 'far -> q']
  const behind = [`${GUEST} eth1 routed`, `${GUEST} eth1 routed`, 'via q', 'router -> p', 'far -> guest']
  everySeed(t, [...near, ...behind, ...near, ...behind], (world) => {
    const { router, hops: [p, q] } = row(world, 2)
    const guest = new Host(p.inside, 4, GUEST)
    const far = new Host(q.inside, 5, vmAddress(5))
    for (const host of [router, far]) host.talk(GUEST, 1000)
    guest.talk(ROUTER, 1000)
    const forward = (): void => {
      for (const { proxy } of [p, q]) proxy.forward(GUEST, ETH0)
      world.after(1000, forward)
    }
    forward()
    const names = new Map([[p.mac0, 'p'], [q.mac0, 'q'], [q.mac1, 'q'], [guest.mac, 'guest']])
    const look = (): string[] => {
      const ownersOf = ({ proxy }: Hop): string[] => proxy.owners.filter((owner) => owner.startsWith(`${GUEST} `))
      const lladdr = p.proxy.engine.snapshot().neighbors.find(({ target }) => target === GUEST)?.lladdr
      const found = [...ownersOf(p), ...ownersOf(q), `via ${names.get(lladdr ?? '')}`, `router -> ${names.get(router.reaches(GUEST) ?? '')}`]
      // The far guest has to notice by itself that its neighbor is gone (RFC 4861 7.3).
      world.run(75_000)
      return [...found, `far -> ${names.get(far.reaches(GUEST) ?? '')}`]
    }
    world.weather = GUSTY
    world.run(30_000)
    const looks = look()
    for (const segment of [q.inside, p.inside, q.inside]) {
      world.run(world.random() * 10_000)
      guest.move(segment)
      guest.announce(GUEST)
      // Without announcements, p notices at the end of `ttl`.
      world.run(world.isMuted ? 40_000 : 8000)
      looks.push(...look())
    }
    return looks
  })
})

t.test('a thief in the middle or behind the second proxy gains nothing', async (t) => {
  const [NEAR, FAR] = [vmAddress(2), vmAddress(4)]
  const end = [`${ROUTER} eth0`, `${NEAR} eth1 routed`, `${FAR} eth1 routed`, `${ROUTER} eth0`, `${NEAR} eth0`, `${FAR} eth1 routed`, 'no route changed']
  for (const where of ['in the middle', 'behind the second proxy']) {
    t.test(where, async (t) => {
      everySeed(t, end, (world) => {
        const { router, hops: [p, q] } = row(world, 2)
        const near = new Host(p.inside, 2, NEAR)
        const far = new Host(q.inside, 4, FAR)
        for (const [host, targets] of [[router, [NEAR, FAR]], [near, [ROUTER, FAR]], [far, [ROUTER, NEAR]]] as const) {
          for (const target of targets) host.talk(target, 1000)
        }
        world.weather = GUSTY
        world.run(30_000)
        const isNear = where === 'in the middle'
        const thief = new Host(isNear ? p.inside : q.inside, 7)
        const loot = isNear ? [ROUTER, FAR] : [ROUTER, NEAR]
        let stolen = 0
        for (const { proxy } of [p, q]) proxy.onRoute = () => { stolen++ }
        for (const address of loot) thief.assign(address)
        // The thief answers for the addresses, announces them, and sends from them.
        for (let at = 0; at < 60_000; at += 500 + world.random() * 1000) {
          world.after(at, () => { for (const address of loot) thief.announce(address) })
          world.after(at, () => thief.use(vmAddress(0x10 + Math.floor(world.random() * 0x40))))
        }
        world.run(90_000)
        return [...owners(p), ...owners(q), stolen === 0 ? 'no route changed' : `${stolen} routes changed`]
      })
    })
  }
})

t.test('two proxies beside each other, and one behind both', async (t) => {
  const [MIDDLE, FAR, OUTSIDE] = [numbers(2, 3), numbers(4, 5), vmAddress(9)]
  everySeed(t, ['all reached'], (world) => {
    const { router, outside, hops: [p, q] } = row(world, 2)
    const other = new ProxyHost(world, CONFIG, 0x8f00)
    const gates0 = [p.mac0, other.attach(ETH0, 'eth0', outside, vmAddress(0xfd))]
    const gates1 = [p.mac1, other.attach(ETH1, 'eth1', p.inside)]
    const peer = new Host(outside, 9, OUTSIDE)
    const inner = [...MIDDLE, ...FAR, 0xfe].map(vmAddress)
    for (const one of [p.proxy, other]) {
      one.onRoute = ({ op, route: { target, ifindex } }) => {
        if (op === 'add' && (ifindex !== ETH1 || !inner.includes(target.toString()))) throw new Error(`a route for ${target} on link ${ifindex}`)
      }
    }
    world.weather = STORM
    const middle = MIDDLE.map((n) => new Host(p.inside, n, vmAddress(n)))
    const far = FAR.map((n) => new Host(q.inside, n, vmAddress(n)))
    gossip(world, [[router, ROUTER], [peer, OUTSIDE], ...middle.map((host, i) => [host, vmAddress(MIDDLE[i])] as const),
      ...far.map((host, i) => [host, vmAddress(FAR[i])] as const)])
    world.run(40_000)
    world.weather = GUSTY
    world.run(100_000)
    const guests = [...MIDDLE, ...FAR].map(vmAddress)
    const isReached = [router, peer].every((host) => guests.every((target) => gates0.includes(host.reaches(target) ?? '')))
      && middle.every((host) => [ROUTER, OUTSIDE].every((target) => gates1.includes(host.reaches(target) ?? ''))
        // One of the pair may reach the far hosts through the other one, and then it answers here as well.
        && FAR.every((n) => [q.mac0, ...gates1].includes(host.reaches(vmAddress(n)) ?? '')))
      && far.every((host) => [ROUTER, OUTSIDE, ...MIDDLE.map(vmAddress)].every((target) => host.reaches(target) === q.mac1))
      && guests.every((target) => p.proxy.routes.has(target) || other.routes.has(target))
    return [isReached ? 'all reached' : 'not all reached']
  })
})
