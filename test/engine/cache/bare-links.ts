/** Links without any address, such as a bridge with `addrgenmode none`: probes and answers have another source. */
import t from 'tap'
import type { Link } from '../../../src/engine-types.ts'
import { ETH0, ETH1, linkOf, own, PATIENT, ROUTER, Stage, VM, VM2 } from '../kit/stage.ts'

const GLOBAL = [own('fe80::ff:2'), own('2001:db8::ff')]

/** eth0 and eth1 with these addresses. */
function links(eth0: Link['addresses'], eth1: Link['addresses']): Link[] {
  return [linkOf(ETH0, { addresses: eth0 }), linkOf(ETH1, { addresses: eth1 })]
}

t.test('a bare downstream is probed from an address of another link, by the packet socket', async (t) => {
  const stage = new Stage(PATIENT, links(GLOBAL, []))
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.same(stage.sink.take('solicit', 'confirm', 'bare'), [`confirm eth1 ${VM} at ff02::1:ff00:2 from 2001:db8::ff to 33:33:ff:00:00:02`],
    'reported when its hosts were discovered')
  t.equal(stage.na(ETH1, VM, VM2, { to: '2001:db8::ff' }), 'proof')
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.sink.take()
  stage.wait(28_000)
  t.same(stage.sink.take('confirm', 'bare'), [`confirm eth1 ${VM} from 2001:db8::ff to ${VM2}`], 'verified by unicast; no second warning')
})

t.test('a bare upstream is answered on: solicitations, DAD, and announcements', async (t) => {
  const config = `subnet 2001:db8::/64 { upstream eth0\n downstream eth1\n host ${VM} eth1\n }`
  const stage = new Stage(config, links([], [own('fe80::ff:3'), own('2001:db8::fe')]))
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.equal(stage.dad(ETH0, VM, VM2), 'defended')
  t.same(stage.sink.take('advertise', 'bare'), [`advertise eth0 ${VM} RS from 2001:db8::fe to fe80::1 ${ROUTER}`,
    `advertise eth0 ${VM} R from 2001:db8::fe to ff02::1 33:33:00:00:00:01`], 'warned before, when the host was announced')
})

t.test('each bare link is reported once, and again after it was gone', async (t) => {
  const bare = links([], [])
  const stage = new Stage('proxy eth0 { rule 2001:db8::/64 { static } }', bare)
  const answer = `advertise eth0 ${VM} RS from ${VM} to fe80::1 ${ROUTER}`
  t.equal(stage.ns(ETH0, VM), 'answered')
  t.same(stage.sink.take(), [answer, `bare eth0 from ${VM}`], 'the last resort is the target')
  stage.ns(ETH0, VM)
  t.same(stage.sink.take(), [answer])
  stage.link(links([], [own('fe80::ff:3')])[1])
  stage.ns(ETH0, VM)
  t.same(stage.sink.take('advertise', 'bare'), [answer.replace(`from ${VM}`, 'from fe80::ff:3')], 'a link-local address of another link')
  stage.gone(ETH0)
  stage.link(bare[0])
  stage.wait(3000)
  stage.ns(ETH0, VM)
  t.same(stage.sink.take('bare'), ['bare eth0 from fe80::ff:3'])
})

t.test('a new link has no address before the end of DAD, so it is not bare at once', async (t) => {
  const stage = new Stage(PATIENT, [linkOf(ETH0, { addresses: GLOBAL })])
  stage.link(linkOf(ETH1, { addresses: [] }))
  stage.ns(ETH0, VM)
  stage.wait(1500)
  t.same(stage.sink.take('solicit', 'confirm', 'bare', 'discover'), [])
  stage.link(linkOf(ETH1))
  t.match(stage.probes(), [`solicit eth1 ${VM}`])
  const late = new Stage(PATIENT, [linkOf(ETH0, { addresses: GLOBAL })])
  late.link(linkOf(ETH1, { addresses: [] }))
  late.wait(3000)
  t.match(late.sink.take('discover', 'bare'), ['discover eth1 from 2001:db8::ff', 'bare eth1 from 2001:db8::ff'], 'a bare link is used: its hosts are discovered')
})

t.test('a machine without any address cannot probe', async (t) => {
  const stage = new Stage(PATIENT, links([], []))
  stage.ns(ETH0, VM)
  t.same(stage.probes(), [])
  stage.wait(10_000)
  t.same(stage.sink.take('neighbor'), [`neighbor ${VM} FAILED: no address`])
})

t.test('tentative addresses are usable soon: no other source', async (t) => {
  const stage = new Stage(PATIENT, links([own('fe80::ff:2', 64, true)], [own('fe80::ff:3', 64, true), own('2001:db8::fe', 64, true)]))
  stage.ns(ETH0, VM)
  t.same(stage.sink.take('solicit', 'confirm', 'bare'), [])
  t.equal(stage.ns(ETH0, '2001:db8::1'), 'same-link')
  stage.link(links([], [own('fe80::ff:3')])[1])
  t.same(stage.probes(), [`solicit eth1 ${VM}`])
})

t.test('a tunnel without addresses, on a machine with link-local ones only', async (t) => {
  const stage = new Stage(PATIENT, [linkOf(ETH0), linkOf(ETH1, { mac: undefined, addresses: [] })])
  stage.ns(ETH0, VM)
  t.same(stage.probes(), ['', ' at ff02::1'].map((at) => `confirm eth1 ${VM}${at} from fe80::ff:2`))
})
