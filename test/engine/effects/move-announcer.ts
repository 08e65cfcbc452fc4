/** A host that moved gets announcements of the addresses that it reaches through us, and its former neighbors get one of the host. */
import t from 'tap'
import { numbers } from '../../kit/addresses.ts'
import { ETH0, ETH1, ETH2, linkOf, own, ROUTER, Stage, SUBNET, twoLinks, VM, VM2 } from '../kit/stage.ts'

const CONFIG = SUBNET.replace('eth1', 'eth1 eth2').replace('announce no', 'announce yes\n timeout 100')

/** An announcement to all nodes, O=1. */
function announced(target: string, name: string, ifindex: number): string {
  return `advertise ${name} ${target} RO from fe80::ff:${ifindex} to ff02::1 33:33:00:00:00:01`
}

/** VM2's address is known on a link, and announced. */
function settled(ifindex: number, config = CONFIG): Stage {
  const stage = new Stage(config, [...twoLinks(), linkOf(ETH2)])
  stage.ns(ifindex === ETH0 ? ETH1 : ETH0, VM)
  stage.na(ifindex, VM, VM2)
  stage.wait(10_000)
  stage.sink.take()
  return stage
}

/** VM2 answers on another link, after its port is gone. @returns the announcements, each once */
function move(stage: Stage, to: number): string[] {
  stage.station(ETH1, VM2, undefined)
  stage.na(to, VM, VM2)
  stage.sink.take()
  stage.wait(5000)
  return [...new Set(stage.sink.take('advertise'))].sort()
}

t.test('from one downstream to another: the router and our addresses there, itself here', async (t) => {
  t.same(move(settled(ETH1), ETH2), [announced(VM, 'eth1', ETH1),
    ...['2001:db8::1', '2001:db8::ff', 'fe80::ff:4'].map((target) => announced(target, 'eth2', ETH2))].sort())
  t.same(move(settled(ETH1, CONFIG.replace('announce yes', 'announce no')), ETH2), [])
  t.same(move(settled(ETH1, CONFIG.replace('announce yes', 'announce solicit')), ETH2).length, 4,
    'hosts would learn nothing from solicitations')
})

t.test('a router that was learned counts, while it is one', async (t) => {
  const config = CONFIG.replace('host 2001:db8::1 eth0', '')
  const stage = settled(ETH1, config)
  for (const [target, flags] of [['2001:db8::a', 'RSO'], ['2001:db8::b', 'SO']] as const) {
    stage.ns(ETH1, target, { from: VM2, source: VM })
    stage.na(ETH0, target, ROUTER, { flags })
  }
  const lines = move(stage, ETH2)
  t.ok(lines.includes(announced('2001:db8::a', 'eth2', ETH2)))
  t.notOk(lines.some((line) => line.includes('2001:db8::b')), 'hosts upstream are found when they are solicited')
})

t.test('tentative addresses, and those on loopback, are not announced', async (t) => {
  const stage = settled(ETH1)
  stage.link(linkOf(1, { addresses: [own('2001:db8::77', 128)] }))
  stage.link(linkOf(ETH2, { addresses: [own('fe80::ff:4'), own('2001:db8::78', 64, true)] }))
  t.notOk(move(stage, ETH2).some((line) => /::7[78]/.test(line)))
})

t.test('64 addresses at most', async (t) => {
  const stage = settled(ETH1)
  stage.link(linkOf(ETH2, { addresses: [own('fe80::ff:4'), ...numbers(1, 100).map((n) => own(`2001:db8::4:${n}`))] }))
  t.equal(move(stage, ETH2).filter((line) => /^advertise eth2 .* RO /.test(line)).length, 64)
})

t.test('excluded addresses are not among them', async (t) => {
  const stage = settled(ETH1, CONFIG.replace('host', 'exclude 2001:db8::4:0/112\n host'))
  stage.link(linkOf(ETH2, { addresses: [...numbers(1, 100).map((n) => own(`2001:db8::4:${n}`)), own('fe80::ff:4')] }))
  const lines = move(stage, ETH2)
  t.notOk(lines.some((line) => line.includes('2001:db8::4:')))
  t.ok(lines.includes(announced('fe80::ff:4', 'eth2', ETH2)))
})

t.test('from upstream, or to it', async (t) => {
  const inwards = settled(ETH0)
  inwards.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  inwards.wait(400)
  inwards.na(ETH1, VM, VM2)
  inwards.sink.take()
  inwards.wait(5000)
  const lines = [...new Set(inwards.sink.take('advertise'))]
  t.ok(lines.includes(announced(VM, 'eth0', ETH0)) && lines.includes(announced('2001:db8::1', 'eth1', ETH1)))
  t.same(move(settled(ETH1), ETH0), [], 'there the host answers for itself')
})

t.test('no move: verified, or found again where it was', async (t) => {
  const stage = settled(ETH1)
  t.same(move(stage, ETH1), [])
  stage.wait(600)
  stage.sink.take()
  stage.station(ETH1, VM2, undefined)
  stage.wait(300)
  t.equal(stage.known[VM], 'FAILED -')
  stage.ns(ETH1, '2001:db8::1', { from: VM2, source: VM })
  stage.na(ETH1, VM, VM2)
  stage.wait(5000)
  t.same(stage.sink.take('advertise eth1').filter((line) => line.includes('to ff02::1 ')), [])
})
