/** Solicitations of the routers of an upstream (RFC 4861 6.3.7, RFC 7559). */
import { mock } from 'node:test'
import t, { type Test } from 'tap'
import { type Mac, parseMac } from '../../src/address.ts'
import { RouterSolicitor } from '../../src/linux/router-solicitor.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { readFrame } from '../kit/read-frame.ts'
import { until } from '../kit/until.ts'
import { codeOf, ifindex, makePair, Wire } from './kit/links.ts'

await ownNamespace()
makePair()
sh('sysctl -qw net.ipv6.conf.v0.accept_dad=0 net.ipv6.conf.v0.router_solicitations=0 net.ipv6.conf.v0.disable_ipv6=0')
await until(() => sh('ip -6 addr show dev v0').includes('fe80::'))
const link = ifindex('v0')

/** A solicitor in virtual time. */
function begin(t: Test, macOf: () => Mac | undefined) {
  const errors: string[] = []
  const solicitor = new RouterSolicitor({ macOf, failed: (ifindex, error) => { errors.push(`${ifindex} ${codeOf(error)}`) } })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => {
    mock.timers.reset()
    solicitor.close()
  })
  return { solicitor, errors, tick: (seconds: number) => { for (let i = 0; i < seconds; i++) mock.timers.tick(1000) } }
}

t.test('solicitations at growing intervals, until a router advertises itself', async (t) => {
  const wire = new Wire('v1')
  t.teardown(() => wire.close())
  let mac: Mac | undefined
  const { solicitor, errors, tick } = begin(t, () => mac)
  const sent: string[] = []
  const arrived = (): string[] => {
    for (const frame of wire.take()) {
      const { kind, source, destination, hopLimit } = readFrame(frame)
      if (kind === 'RS') sent.push(`${source} ${destination} ${hopLimit} ${frame.toString('hex', 62)}`)
    }
    return sent
  }
  const [three, one] = [parseMac('02:00:00:00:00:03')!, parseMac('02:00:00:00:00:01')!]
  mac = three
  solicitor.start(link)
  tick(40)
  mac = one
  solicitor.start(link)
  tick(1)
  solicitor.stop(link)
  tick(60)
  mac = undefined
  solicitor.start(link)
  tick(1)
  const about = 'fe80::ff:fe00:ff ff02::2 255'
  // The last one, without an option, arrives after all others.
  await until(() => arrived().includes(`${about} `))
  t.same(sent, [...Array<string>(4).fill(`${about} 0101020000000003`), `${about} 0101020000000001`, `${about} `])
  t.same(errors, [])
})

t.test('ten solicitations, at intervals that double from 4 s, each with up to a tenth more or less', (t) => {
  const { random } = Math
  t.teardown(() => { Math.random = random })
  for (const [chance, first, factor] of [[0, 0, 0.9], [0.5, 0, 1], [0.999, 0, 1.1]] as const) {
    Math.random = () => chance
    let now = 0
    const sent: number[] = []
    const { solicitor, tick } = begin(t, () => {
      sent.push(now)
      return undefined
    })
    solicitor.start(link)
    for (; now < 10_000; now++) tick(1)
    mock.timers.reset()
    t.equal(sent[0], first)
    const intervals = sent.slice(1).map((at, i) => at - sent[i])
    t.equal(intervals.length, 9, `${intervals}`)
    for (const [i, interval] of intervals.entries()) t.ok(Math.abs(interval - factor * 4 * 2 ** i) < 2, `${interval} s`)
  }
  t.end()
})

t.test('errors', (t) => {
  const { solicitor, errors, tick } = begin(t, () => undefined)
  solicitor.start(9999)
  tick(40)
  t.same(errors.splice(0), Array<string>(4).fill('9999 ENODEV'))
  tick(50_000)
  t.ok(errors.splice(0).length > 12, 'a failure does not count for the limit')
  solicitor.stop(9999)
  sh("nft 'table ip6 closed { chain out { type filter hook output priority 0; policy drop; }; }'")
  solicitor.start(link)
  tick(1)
  t.same(errors.splice(0), [`${link} EPERM`], 'a firewall')
  sh('nft delete table ip6 closed; ip link set v0 down')
  tick(5)
  t.match(errors.splice(0), [/E(ADDRNOTAVAIL|NETUNREACH|NETDOWN)$/], 'a link that is down')
  t.end()
})

t.test('a broken invariant is not hidden', (t) => {
  const { solicitor, errors, tick } = begin(t, () => { throw new TypeError('of ours') })
  solicitor.start(link)
  tick(1)
  t.same(errors, [`${link} of ours`])
  t.end()
})
