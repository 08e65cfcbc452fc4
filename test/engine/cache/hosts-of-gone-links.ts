import t from 'tap'
import { HOST_LIMIT, HostsOfGoneLinks, LINK_LIMIT } from '../../../src/engine/cache/hosts-of-gone-links.ts'
import { ip, linkOf, nth, nthMac, PartsRecorder, Stage, SUBNET, twoLinks } from '../kit/neighbor.ts'

t.test('hosts are kept by the name of their link, and taken once', async (t) => {
  const hosts = new HostsOfGoneLinks(new PartsRecorder())
  t.same(hosts.take('eth1'), [])
  hosts.add('eth1', ip('2001:db8::2'))
  hosts.add('eth2', ip('2001:db8::3'))
  hosts.add('eth1', ip('2001:db8::4'))
  t.same(hosts.take('eth1').map(String), ['2001:db8::2', '2001:db8::4'])
  t.same(hosts.take('eth1'), [])
  t.same(hosts.take('eth2').map(String), ['2001:db8::3'])
})

t.test('of too many links the first is forgotten', async (t) => {
  const recorder = new PartsRecorder()
  const hosts = new HostsOfGoneLinks(recorder)
  for (let n = 0; n <= LINK_LIMIT; n++) hosts.add(`tap${n}`, ip('2001:db8::2'))
  t.same(recorder.take(), [`limit gone-links ${LINK_LIMIT}`])
  t.same(hosts.take('tap0'), [])
  t.equal(hosts.take('tap1').length, 1)
  t.equal(hosts.take(`tap${LINK_LIMIT}`).length, 1)
})

t.test('of too many hosts those of the first link are forgotten, of one link the last', async (t) => {
  const recorder = new PartsRecorder()
  const hosts = new HostsOfGoneLinks(recorder)
  hosts.add('eth0', nth(0))
  for (let n = 1; n <= HOST_LIMIT + 1; n++) hosts.add('eth1', nth(n))
  t.same(recorder.take(), Array(2).fill(`limit gone-hosts ${HOST_LIMIT}`))
  t.same(hosts.limits.map(({ used }) => used), [HOST_LIMIT, 1])
  t.same(hosts.take('eth0'), [])
  t.same(hosts.take('eth1').at(-1), nth(HOST_LIMIT))
})

t.test('an engine reports the limit that was reached, and lists both limits', async (t) => {
  const taps = Array.from({ length: LINK_LIMIT + 1 }, (_, n) => linkOf(100 + n, { name: `tap${n}` }))
  const stage = new Stage(SUBNET.replace('eth1', 'tap*'), [...twoLinks(), ...taps])
  for (const [n, { ifindex }] of taps.entries()) stage.learn(`${nth(n + 2)}`, nthMac(n), ifindex)
  for (const { ifindex } of taps) stage.gone(ifindex)
  t.same(stage.sink.take('limit'), [`limit gone-links ${LINK_LIMIT}`])
  t.same(stage.engine.limits(stage.now).filter(({ name }) => name.includes('gone')), [
    { name: 'hosts of links that are gone', used: LINK_LIMIT, size: HOST_LIMIT },
    { name: 'links that are gone', used: LINK_LIMIT, size: LINK_LIMIT }])
})
