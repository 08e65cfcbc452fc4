/** `ndp6d doctor`: two upstreams, each with a prefix, and one downstream. */
import t from 'tap'
import { isFoundAndMended, isHealthy } from './kit/doctor.ts'
import { advertisementIn } from './kit/guests.ts'
import { type Host, ROUTER, type Scene, scene, until, vmAddress } from './kit/scene.ts'

const SECOND = '2001:db8:2::/64'
const CONFIG = `subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  router-advertisements yes
}
subnet ${SECOND} {
  upstream eth2
  downstream eth1
  router-advertisements yes
}`
/** Both providers' routers lead to this address. */
const OUTSIDE = '2001:db8:ffff::99'

/** A second provider, whose router drops packets from addresses of the first one. */
async function addUpstream({ lab, proxy, router }: Scene): Promise<Host> {
  const [other, outside] = await Promise.all([lab.host('router2', { forwarding: true }), lab.bridge('outside2')])
  lab.link(other, 'eth0', outside, 'router2')
  lab.link(proxy, 'eth2', outside, 'proxy')
  other.ip('addr add 2001:db8:2::1/64 dev eth0 nodad', `addr add ${OUTSIDE}/128 dev lo nodad`, 'rule add from 2001:db8::/64 unreachable')
  router.ip(`addr add ${OUTSIDE}/128 dev lo nodad`, `rule add from ${SECOND} unreachable`)
  proxy.ip('addr add 2001:db8:2::ff/64 dev eth2 nodad', 'route add default via 2001:db8:2::1 dev eth2 metric 2048')
  return other
}

function pings(host: Host, source: string, target: string): boolean {
  return host.exec('sh', '-c', `ping -6 -c 1 -W 2 -I ${source} ${target} > /dev/null && echo replied || true`).includes('replied')
}

void t.test('a prefix that leaves by the upstream of the other one', async (t) => {
  const stage = await scene(t, [])
  const { lab, inside, proxy, eth1 } = stage
  await addUpstream(stage)
  const guests = await Promise.all([3, 4].map(async (n) => {
    const guest = await lab.host(`guest${n}`, { dad: true })
    guest.sysctl({ 'conf/default/router_solicitations': -1, 'conf/default/accept_ra': 1 })
    lab.link(guest, 'eth0', inside, `guest${n}`)
    return guest
  }))
  const addresses = new Map<string, string>()
  let isReached: boolean | undefined
  await isFoundAndMended(t, stage, {
    code: 'source-route', config: CONFIG, what: /^packets from 2001:db8:2::\/64 leave by eth0, but the prefix belongs to eth2$/,
    provoke: async () => {
      for (const [i, guest] of guests.entries()) {
        for (const prefix of ['2001:db8:2:', '2001:db8::']) {
          const found = await until(() => guest.show<{ addr_info: { local: string; tentative?: boolean }[] }>('addr show dev eth0')
            .flatMap(({ addr_info }) => addr_info).find(({ local, tentative }) => local.startsWith(prefix) && tentative !== true)?.local)
          addresses.set(`${i} ${prefix}`, found)
        }
      }
      const advertisements = eth1.frames.filter(({ kind, outgoing }) => kind === 'RA' && outgoing)
      t.same([...new Set(advertisements.map((frame) => advertisementIn(frame).prefixes.map(({ prefix }) => prefix).join()))],
        ['2001:db8::,2001:db8:2::'], 'both prefixes in each message')
      isReached = pings(guests[0], addresses.get('0 2001:db8:2:')!, OUTSIDE)
    },
  })
  t.equal(isReached, false, 'nothing outside was reached from the second prefix')
  const daemon = await stage.start(CONFIG)
  isHealthy(t, stage, 'mended')
  for (const prefix of ['2001:db8:2:', '2001:db8::']) {
    const [source, peer] = [0, 1].map((i) => addresses.get(`${i} ${prefix}`)!)
    await until(() => pings(guests[0], source, OUTSIDE))
    await until(() => pings(guests[0], source, peer))
  }
  t.match(proxy.exec('ip', '-6', 'route', 'get', OUTSIDE, 'from', addresses.get('0 2001:db8:2:')!, 'iif', 'eth1'), / dev eth2 /)
  await daemon.stop()
})

void t.test('a routing rule for the sources of a prefix hides the host routes', async (t) => {
  const stage = await scene(t, [2])
  const { proxy, router, vms: [vm] } = stage
  let isReached: boolean | undefined
  await isFoundAndMended(t, stage, {
    code: 'source-route', daemon: 'only', what: /^packets from 2001:db8::\/64 to 2001:db8::2 leave by eth0, because a routing rule/,
    make: () => proxy.ip(`route add default via ${ROUTER} dev eth0 table 101`, 'rule add from 2001:db8::/64 lookup 101'),
    provoke: async () => {
      await until(() => proxy.ourRoutes().includes(vmAddress(2)))
      isReached = await router.reaches(vmAddress(2))
    },
  })
  t.equal(isReached, false)
  await stage.start()
  await until(() => router.reaches(vmAddress(2)))
  await until(() => vm.reaches(ROUTER))
})
