/** Solicitations of the routers of an upstream (RFC 4861 6.3.7). */
import { mock } from 'node:test'
import t from 'tap'
import { RouterSolicitor } from '../../src/linux/router-solicitor.ts'
import { ownNamespace, sh } from '../kit/namespace.ts'
import { readFrame } from '../kit/read-frame.ts'
import { until } from '../kit/until.ts'
import { ifindex, makePair, Wire } from './kit/links.ts'

await ownNamespace()

t.test('three solicitations, unless a router advertises itself', async (t) => {
  makePair()
  sh('sysctl -qw net.ipv6.conf.v0.accept_dad=0 net.ipv6.conf.v0.router_solicitations=0 net.ipv6.conf.v0.disable_ipv6=0')
  await until(() => sh('ip -6 addr show dev v0').includes('fe80::'))
  const wire = new Wire('v1')
  const link = ifindex('v0')
  const solicitor = new RouterSolicitor()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => {
    mock.timers.reset()
    solicitor.close()
    wire.close()
  })
  const sent = (): string[] => wire.take().map(readFrame).filter(({ kind }) => kind === 'RS')
    .map(({ source, destination, hopLimit }) => `${source} ${destination} ${hopLimit}`)
  const one = 'fe80::ff:fe00:ff ff02::2 255'
  solicitor.start(link)
  t.same(sent(), [], 'after a random delay')
  mock.timers.tick(1000)
  t.same(sent(), [one])
  for (let i = 0; i < 10; i++) mock.timers.tick(4000)
  t.same(sent(), [one, one])
  solicitor.start(link)
  mock.timers.tick(1000)
  solicitor.stop(link)
  mock.timers.tick(60_000)
  t.same(sent(), [one], 'answered')
  sh('ip link set v0 down')
  solicitor.start(link)
  solicitor.start(9999)
  for (let i = 0; i < 10; i++) mock.timers.tick(4000)
  t.same(sent(), [], 'no error for a link that is down or gone')
})
