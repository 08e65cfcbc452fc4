/** A link that is deleted and created again under the same name: hosts there have the former link-layer address in their caches. */
import t from 'tap'
import { ETH0, ETH1, linkOf, mac, na, own, ROUTER, Stage, TIMED, twoLinks, VM, VM2 } from '../kit/stage.ts'

const ANNOUNCING = TIMED.replace('announce no', 'announce yes')
const OTHER = { mac: mac('02:00:00:00:ff:99') }
const ADDRESSES = [own('fe80::ff:2'), own('2001:db8::ff')]

/** @returns a stage where the VM and the router are known, and all announcements are over */
function settled(config = ANNOUNCING): Stage {
  const stage = new Stage(config)
  stage.learn(VM, VM2)
  stage.wait(10_000)
  stage.sink.take()
  return stage
}

/** @returns the announcements of the next second: link, target and flags */
function announced(stage: Stage, ms = 900): string[] {
  stage.wait(ms)
  const lines = stage.sink.take('advertise').filter((line) => line.includes('to ff02::') && !line.includes('2001:db8::ff '))
  return [...new Set(lines.map((line) => /^advertise (.*) from/.exec(line)![1]))]
}

t.test('an upstream with another link-layer address: owners are announced with O=1', async (t) => {
  for (const ifindex of [ETH0, 9]) {
    const stage = settled()
    stage.gone(ETH0)
    stage.wait(1000)
    stage.link(linkOf(ifindex, { name: 'eth0', addresses: ADDRESSES, ...OTHER }))
    t.same(announced(stage), [`${ifindex === ETH0 ? 'eth0' : 'link 9'} ${VM} RO`])
  }
})

t.test('the announcement leaves when the link has a usable address', async (t) => {
  const stage = settled()
  stage.gone(ETH0)
  stage.link(linkOf(9, { name: 'eth0', up: false, addresses: [], mac: mac('02:00:00:00:ff:55') }))
  stage.link(linkOf(9, { name: 'eth0', addresses: [], ...OTHER }))
  t.same(announced(stage, 1500), [])
  stage.link(linkOf(9, { name: 'eth0', addresses: [own('fe80::99')], ...OTHER }))
  t.same(announced(stage, 20), [`link 9 ${VM} RO`], 'not with the next repetition')
})

t.test('a downstream with another link-layer address: the router is announced with O=1, and hosts that are found again with O=0', async (t) => {
  const stage = settled()
  stage.gone(ETH1)
  stage.link(linkOf(9, { name: 'eth1', ...OTHER }))
  stage.na(9, VM, VM2)
  t.same(announced(stage).sort(), [`eth0 ${VM} R`, 'link 9 2001:db8::1 RO'])
})

t.test('both at once: owners are announced with O=1 on both sides, also a router that is not pinned', async (t) => {
  const stage = settled(ANNOUNCING.replace(/host.*\n/, ''))
  stage.ns(ETH1, '2001:db8::a', { from: VM2, source: 'fe80::2' })
  stage.na(ETH0, '2001:db8::a', ROUTER, { flags: 'RSO' })
  stage.wait(5000)
  stage.gone(ETH0)
  stage.gone(ETH1)
  stage.link(linkOf(9, { name: 'eth1', ...OTHER }))
  stage.link(linkOf(8, { name: 'eth0', addresses: ADDRESSES, mac: mac('02:00:00:00:ff:98') }))
  stage.wait(50)
  stage.sink.take()
  stage.frame(9, na({ target: VM, from: VM2, to: 'fe80::ff:3' }))
  stage.frame(8, na({ target: '2001:db8::a', from: ROUTER, to: 'fe80::ff:2', flags: 'RSO' }))
  t.same(announced(stage).sort(), ['link 8 2001:db8::2 RO', 'link 9 2001:db8::a RO'])
})

t.test('the same link-layer address: no change is announced', async (t) => {
  const stage = settled()
  stage.gone(ETH0)
  // Its creator sets the address after the link appeared.
  stage.link(linkOf(9, { name: 'eth0', up: false, addresses: [], ...OTHER }))
  stage.link({ ...twoLinks()[0], ifindex: 9 })
  t.same(announced(stage, 1500), [`link 9 ${VM} R`])
  stage.gone(ETH1)
  stage.link(linkOf(10, { name: 'eth1', mac: linkOf(ETH1).mac }))
  t.same(announced(stage), [])
})

t.test('another link takes the name', async (t) => {
  const stage = settled()
  stage.link({ ...twoLinks()[0], name: 'old0' })
  stage.link(linkOf(9, { name: 'new0', addresses: ADDRESSES, ...OTHER }))
  stage.link(linkOf(9, { name: 'eth0', addresses: ADDRESSES, ...OTHER }))
  t.same(announced(stage), [`link 9 ${VM} RO`])
})

t.test('long after the change, a new owner is announced with O=0 again', async (t) => {
  const stage = settled()
  stage.gone(ETH0)
  stage.link(linkOf(9, { name: 'eth0', addresses: ADDRESSES, ...OTHER }))
  stage.wait(70_000)
  stage.sink.take()
  stage.ns(9, '2001:db8::3')
  stage.na(ETH1, '2001:db8::3', VM2)
  t.same(announced(stage), ['link 9 2001:db8::3 R'])
})

t.test('other links that come and go do not count', async (t) => {
  const stage = settled()
  stage.gone(ETH0)
  for (let n = 0; n < 2000; n++) {
    stage.link(linkOf(90, { name: `tap${n}`, addresses: ADDRESSES, ...OTHER }))
    stage.gone(90)
  }
  stage.link(linkOf(9, { name: 'eth0', addresses: ADDRESSES, ...OTHER }))
  t.same(announced(stage), [`link 9 ${VM} RO`])
})
