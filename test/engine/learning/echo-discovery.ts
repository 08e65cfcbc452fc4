import t from 'tap'
import type { Link } from '../../../src/engine-types.ts'
import { ETH0, ETH1, ip, linkOf, LO, mac, own, Stage, SUBNET, twoLinks, VM, VM2 } from '../kit/stage.ts'

const TIMED = SUBNET.replace('host', 'timeout 100\n retries 3\n host')

/** The discoveries that a config causes, with their times. */
function discoveries(config: string, links: readonly Link[] = twoLinks(), then: (stage: Stage) => void = () => {}): string[] {
  const stage = new Stage(config, links)
  then(stage)
  const began = stage.now
  const lines: string[] = []
  for (let ms = 0; ms < 5000; ms += 100) {
    lines.push(...stage.sink.take('discover').map((line) => line.replace('discover', `${stage.now - began}`)))
    stage.wait(ms === 0 ? 0 : 100)
    lines.push(...stage.sink.take('discover').map((line) => line.replace('discover', `${stage.now - began}`)))
  }
  return lines
}

t.test('discovery of all hosts downstream, in rounds, from an address like theirs', async (t) => {
  const again = (stage: Stage): void => { stage.configure(TIMED) }
  t.same(discoveries(TIMED, twoLinks(), again), [0, 700, 2500].map((at) => `${at} eth1 from 2001:db8::ff`), 'after a reload')
  const up = (stage: Stage): void => {
    stage.link(linkOf(ETH1, { up: false }))
    stage.link(linkOf(ETH1))
  }
  t.equal(discoveries(TIMED, twoLinks(), up).length, 3, 'when the link is up again')
  const address = (stage: Stage): void => stage.link(linkOf(ETH0, { addresses: [own('fe80::ff:2'), own('2001:db8::fe')] }))
  t.equal(discoveries(TIMED, twoLinks(), address)[0], '0 eth1 from 2001:db8::fe', 'from an address that is new')
  const stern = TIMED.replace('host', 'learn no\n host')
  t.same(discoveries(stern, twoLinks(), (stage) => stage.configure(stern)), [])
  const wired = 'proxy eth0 { autowire yes\n rule 2001:db8::/64 { iface eth1 } }'
  t.equal(discoveries(wired, twoLinks(), (stage) => stage.configure(wired)).length, 3)
  const plain = wired.replace('autowire yes', '')
  t.same(discoveries(plain, twoLinks(), (stage) => stage.configure(plain)), [])
})

t.test('a discovery ends with its link, its rule or its addresses', async (t) => {
  const after = (end: (stage: Stage) => void): string[] => discoveries(TIMED, twoLinks(), (stage) => {
    stage.configure(TIMED)
    stage.wait(0)
    stage.sink.take()
    end(stage)
  })
  t.equal(after(() => {}).length, 2)
  t.same(after((stage) => stage.gone(ETH1)), [])
  t.same(after((stage) => stage.link(linkOf(ETH1, { up: false }))), [])
  t.same(after((stage) => stage.configure('proxy eth1 { rule 2001:db8::/64 { static } }')), [], 'no host is learned there')
  const bare = [linkOf(LO), linkOf(ETH0, { addresses: [] }), linkOf(ETH1, { addresses: [] })]
  t.same(discoveries(TIMED, bare, (stage) => stage.configure(TIMED)), [])
})

t.test('a discovery advertises its source, for the hosts that solicit for it', async (t) => {
  const sent = (config: string, links?: readonly Link[]): string[] => {
    const stage = new Stage(config, links)
    stage.configure(config)
    stage.wait(0)
    return stage.sink.take('discover', 'advertise')
  }
  t.same(sent(TIMED), ['discover eth1 from 2001:db8::ff', 'advertise eth1 2001:db8::ff R from fe80::ff:3 to ff02::1 33:33:00:00:00:01'])
  t.same(sent(TIMED.replace('host', 'exclude 2001:db8::ff\n host')), ['discover eth1 from 2001:db8::ff'], 'an excluded source')
  const bare = [linkOf(ETH0, { addresses: [own('fe80::ff:2')] }), linkOf(ETH1)]
  t.same(sent(TIMED, bare), ['discover eth1 from fe80::ff:3'], 'the kernel answers for that')
})

t.test('an echo reply is evidence', async (t) => {
  const stage = new Stage(TIMED)
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip(VM), mac: mac(VM2) })
  t.same(stage.probes(), [`solicit eth1 ${VM}`, `solicit eth0 ${VM}`])
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip('2001:db8::3'), mac: undefined })
  t.same(stage.probes(), ['solicit eth1 2001:db8::3', 'solicit eth0 2001:db8::3'])
  stage.handle({ kind: 'echo', ifindex: ETH1, source: ip('fe80::2'), mac: mac(VM2) })
  t.same(stage.probes(), [])
})
