import t from 'tap'
import { formatMac } from '../../src/address.ts'
import { ALIVE_RESERVE, UNPROVEN_LIMIT } from '../../src/engine/census.ts'
import { Links } from '../../src/engine/links.ts'
import { ASKER_LIMIT } from '../../src/engine/neighbor.ts'
import { Neighbors } from '../../src/engine/neighbors.ts'
import { Rules } from '../../src/engine/rules.ts'
import type { Instant } from '../../src/engine/types.ts'
import { ip, mac, na } from './kit/frames.ts'
import {
  chance, configOf, ETH0, ETH1, ETH2, linkOf, own, Recorder, ROUTER, Stage, SUBNET, twoLinks, VM2, VM3,
} from './kit/stage.ts'

const VM = '2001:db8::2'
const TIMED = SUBNET.replace('host', 'timeout 500\n retries 3\n ttl 30s\n deadtime 20s\n host')

/** The `n`-th address of the subnet. */
function nth(n: number): string { return `2001:db8::1:${n.toString(16)}` }

/** A host of its own for each number. */
function macOf(n: number): string { return formatMac(mac('06:00:00:00:00:00') + n as ReturnType<typeof mac>) }

t.test('INCOMPLETE: one probe per timeout, then FAILED, then forgotten', async (t) => {
  const stage = new Stage(TIMED)
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`], 'at once')
  t.equal(stage.ns(ETH0, VM), 'probing')
  stage.wait(499)
  t.same(stage.sink.take('solicit'), [], 'not again before the time is over, whoever asks (I3)')
  for (const at of [500, 1000, 1500]) {
    stage.wait(500)
    t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`], `again after ${at} ms`)
  }
  stage.wait(501)
  t.equal(stage.known[VM], 'FAILED -', 'after the last one\'s time')
  t.equal(stage.ns(ETH0, VM), 'failed')
  t.same(stage.sink.take('solicit', 'advertise'), [])
  stage.wait(20_000)
  t.equal(stage.known[VM], undefined, 'after deadtime')
  t.equal(stage.ns(ETH0, VM), 'probing', 'and it starts again')
})

t.test('REACHABLE: answered at once, verified before the end of ttl by unicast first (I5), then by its group', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.wait(27_999)
  t.same(stage.sink.take(), [])
  stage.wait(1)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  const unicast = `confirm eth1 ${VM} from fe80::ff:3 to ${VM2}`
  t.same(stage.sink.take('confirm', 'solicit'), [unicast])
  t.equal(stage.ns(ETH0, VM), 'answered', 'still known')
  stage.wait(1500)
  t.same(stage.sink.take('confirm', 'solicit'), [unicast, unicast, `solicit eth1 ${VM}`], 'one lost probe drops nobody (I6)')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.equal(stage.known[VM], 'REACHABLE eth1 routed')
  stage.wait(29_999)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.wait(1)
  t.equal(stage.known[VM], 'FAILED -', 'what is known is never older than ttl')
  t.same(stage.sink.take('route'), [`route delete ${VM} eth1`])
  stage.wait(20_000)
  t.equal(stage.known[VM], undefined)
})

t.test('keepalive no: verified only when somebody asked, forgotten at the end of ttl', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'keepalive no\n host'))
  stage.learn(VM, VM2)
  stage.wait(29_999)
  t.same(stage.sink.take(), [])
  stage.wait(1)
  t.same(stage.sink.take('confirm', 'solicit', 'route'), [`route delete ${VM} eth1`])
  t.equal(stage.known[VM], undefined)
  stage.learn(VM, VM2)
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(28_000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  stage.na(ETH1, VM, VM2)
  stage.wait(29_000)
  t.equal(stage.ns(ETH0, VM), 'answered', 'asked for late')
  stage.wait(1000)
  t.equal(stage.known[VM], 'PROBE eth1 routed')
})

t.test('proof is a solicited NA, on a link that is asked, while it is asked (B4, B5, B6)', async (t) => {
  const stage = new Stage(TIMED)
  t.equal(stage.na(ETH1, nth(9), VM2, { to: 'fe80::ff:3' }), 'unsolicited', 'nobody asked')
  stage.wait(25_000)
  stage.ns(ETH0, VM)
  t.equal(stage.frame(ETH1, new Uint8Array(10)), 'truncated')
  t.equal(stage.na(ETH1, VM, VM2, { to: 'ff02::1' }), 'unsolicited', 'S=0')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.equal(stage.na(ETH1, VM, VM2), 'unsolicited', 'once')
  const other = new Stage(TIMED.replace('eth1', 'eth1 eth2'), [...twoLinks(), linkOf(ETH2)])
  other.ns(ETH2, VM, { from: VM3, source: 'fe80::3' })
  t.equal(other.na(ETH2, VM, VM2), 'unsolicited', 'on a link that is not asked')
  t.equal(other.known[VM], 'INCOMPLETE -')
})

t.test('a solicited NA with O=0 from inside is another proxy\'s (B6a), but for the owner itself', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH0, VM)
  t.equal(stage.na(ETH1, VM, VM2, { flags: 'S' }), 'proxied')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  stage.wait(28_000)
  t.equal(stage.na(ETH1, VM, VM3, { flags: 'S' }), 'proxied')
  t.equal(stage.na(ETH1, VM, VM2, { flags: 'S' }), 'proof', 'Linux answers a unicast probe like that')

  const proxy = new Stage('proxy eth0 { rule 2001:db8::/64 { iface eth1 } }')
  proxy.ns(ETH0, VM)
  t.equal(proxy.na(ETH1, VM, VM2, { flags: 'S' }), 'proof', 'a plain rule may lead to another proxy')
})

t.test('another lladdr is believed only when the owner is silent at its own', async (t) => {
  const stage = new Stage(TIMED)
  stage.learn(VM, VM2)
  stage.wait(28_000)
  t.equal(stage.na(ETH1, VM, VM3), 'conflict')
  stage.wait(1500)
  t.equal(stage.na(ETH0, VM, VM2), 'unsolicited', 'on another link, never')
  t.equal(stage.known[VM], 'PROBE eth1 routed')
  t.equal(stage.na(ETH1, VM, VM3), 'proof', 'the group is asked now')
  stage.sink.take()
  stage.wait(28_000)
  t.same(stage.sink.take('confirm'), [`confirm eth1 ${VM} from fe80::ff:3 to ${VM3}`])
  t.same(stage.sink.routes.size, 1)
})

t.test('askers: each is answered once, those over the limit hear nothing', async (t) => {
  const stage = new Stage(TIMED)
  for (let n = 0; n < ASKER_LIMIT; n++) {
    t.equal(stage.ns(ETH0, VM, { source: `fe80::a:${n}` }), 'probing')
    t.equal(stage.ns(ETH0, VM, { source: `fe80::a:${n}` }), 'probing', 'again')
  }
  t.equal(stage.ns(ETH0, VM, { source: 'fe80::b' }), 'limit')
  stage.sink.take()
  stage.na(ETH1, VM, VM2)
  const answers = stage.sink.take('advertise', 'route')
  t.equal(answers.length, 1 + ASKER_LIMIT)
  t.equal(answers[0], `route add ${VM} eth1`, 'the route first')
  t.equal(new Set(answers).size, answers.length)
})

t.test('who has waited in vain is not answered later', async (t) => {
  const stage = new Stage(TIMED)
  stage.ns(ETH0, VM)
  stage.wait(2000)
  t.equal(stage.known[VM], 'FAILED -')
  t.equal(stage.na(ETH1, VM, VM2), 'unsolicited', 'a sign of life')
  t.equal(stage.known[VM], 'INCOMPLETE -', 'ends the negative entry')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.same(stage.sink.take('advertise'), [])
})

t.test('limit: owners that are learned, also when many prove at once', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'limit 3\n host'))
  for (let n = 0; n < 6; n++) t.equal(stage.ns(ETH0, nth(n + 1)), 'probing')
  for (let n = 0; n < 6; n++) stage.na(ETH1, nth(n + 1), macOf(n))
  const owners = () => Object.values(stage.known).filter((what) => what === 'REACHABLE eth1 routed').length
  t.equal(owners(), 3)
  t.match(stage.sink.take('limit'), [/^limit neighbors 3$/])
  t.equal(stage.ns(ETH0, nth(9)), 'limit')
  t.equal(stage.ns(ETH0, nth(1)), 'answered')
  t.equal(stage.known['2001:db8::1'], 'REACHABLE eth0', 'pinned ones do not count')
})

t.test('host-limit: one host does not push others out', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host'))
  for (const n of [1, 2, 3]) {
    stage.ns(ETH0, nth(n))
    stage.na(ETH1, nth(n), VM2)
  }
  t.match(stage.known, { [nth(1)]: 'REACHABLE eth1 routed', [nth(2)]: 'REACHABLE eth1 routed', [nth(3)]: 'FAILED -' })
  t.same(stage.sink.take('limit'), ['limit host 2'])
  stage.ns(ETH0, nth(4))
  t.equal(stage.na(ETH1, nth(4), VM3), 'proof')
  t.equal(stage.known[nth(4)], 'REACHABLE eth1 routed', 'another host may')
  for (const n of [5, 6, 7]) {
    stage.ns(ETH1, nth(n))
    stage.na(ETH0, nth(n), ROUTER)
  }
  t.match(stage.known, { [nth(7)]: 'REACHABLE eth0' }, 'upstream is not limited')
})

t.test('links without link-layer addresses: hosts are not counted as one', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host'),
    [twoLinks()[0], linkOf(ETH1, { mac: undefined })])
  for (const n of [1, 2, 3]) {
    stage.ns(ETH0, nth(n))
    stage.frame(ETH1, na({ target: nth(n), from: VM2, to: 'fe80::ff:3', tlla: '' }), true)
  }
  t.match(stage.known, { [nth(1)]: 'REACHABLE eth1 routed', [nth(3)]: 'REACHABLE eth1 routed' })
  stage.sink.take()
  stage.wait(28_000)
  t.same(stage.sink.take('confirm', 'solicit').sort(), [1, 2, 3].map((n) => `solicit eth1 ${nth(n)}`), 'nobody to ask in particular')
})

t.test('a scan: at most so many unproven entries, the oldest FAILED one makes room, owners stay', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'probe-limit 100000\n host'))
  stage.learn(VM, VM2)
  stage.ns(ETH0, nth(1))
  stage.wait(1)
  for (let n = 2; n <= UNPROVEN_LIMIT; n++) stage.ns(ETH0, nth(n))
  // A turn for each.
  stage.wait(1100)
  t.equal(stage.ns(ETH0, nth(0xffff)), 'limit', 'all of them are being asked')
  t.same(stage.sink.take('limit'), [`limit targets ${UNPROVEN_LIMIT}`])
  t.equal(stage.ns(ETH0, VM), 'answered')
  stage.wait(2000)
  t.equal(stage.known[nth(1)], 'FAILED -')
  t.equal(stage.ns(ETH0, nth(0xffff)), 'probing')
  t.equal(stage.known[nth(1)], undefined, 'the oldest')
  t.equal(stage.known[nth(2)], 'FAILED -')
  t.equal(Object.keys(stage.known).length, UNPROVEN_LIMIT + 2)
})

t.test('a scan does not keep out hosts that show themselves (M4)', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'probe-limit 100000\n host').replace('timeout 500', 'timeout 5s'))
  for (let n = 1; n <= UNPROVEN_LIMIT + 1; n++) stage.ns(ETH0, nth(n))
  // A turn for each.
  stage.wait(1100)
  const macOf = (n: number): string => formatMac(mac('06:00:00:00:00:00') + n as ReturnType<typeof mac>)
  const show = (n: number): void => { stage.ns(ETH1, '2001:db8::1', { source: nth(0x9000 + n), from: macOf(n) }) }
  show(0)
  stage.na(ETH1, nth(0x9000), macOf(0))
  t.equal(stage.known[nth(0x9000)], 'REACHABLE eth1 routed')
  stage.wait(10)
  stage.sink.take()
  for (let n = 1; n <= ALIVE_RESERVE + 1; n++) show(n)
  stage.wait(1100)
  t.equal(Object.keys(stage.known).length, UNPROVEN_LIMIT + ALIVE_RESERVE + 2, 'not without end')
  t.same(stage.sink.take('limit'), [`limit targets ${UNPROVEN_LIMIT + ALIVE_RESERVE}`])
})

t.test('the counts are right: after every kind of end, all places are free again', async (t) => {
  const config = TIMED.replace('host', 'limit 4\n host-limit 2\n host')
  const stage = new Stage(config)
  const fill = (): number => {
    for (const n of [1, 2]) { stage.ns(ETH0, nth(n)); stage.na(ETH1, nth(n), VM2) }
    for (const n of [3, 4]) { stage.ns(ETH0, nth(n)); stage.na(ETH1, nth(n), VM3) }
    return Object.values(stage.known).filter((what) => what === 'REACHABLE eth1 routed').length
  }
  const ends: [string, () => void][] = [
    ['silence', () => stage.wait(60_000)],
    ['the link goes', () => { stage.gone(ETH1); stage.link(linkOf(ETH1)); stage.wait(60_000) }],
    ['the rule goes', () => {
      stage.configure('proxy eth0 { rule fd00::/64 { iface eth1 } }')
      stage.configure(config)
    }],
    ['all are pinned, and not any more', () => {
      stage.configure(config.replace('host', [1, 2, 3, 4].map((n) => `host ${nth(n)} eth1\n`).join(' ') + 'host'))
      stage.configure(config)
    }],
    ['the owners change hosts, and change back', () => {
      for (const hosts of [[VM3, VM2], [VM2, VM3]]) {
        stage.wait(28_000 - (stage.now - since))
        stage.wait(1500)
        for (const n of [1, 2, 3, 4]) stage.na(ETH1, nth(n), hosts[n < 3 ? 0 : 1])
        since = stage.now
      }
      stage.wait(60_000)
    }],
  ]
  let since = stage.now
  for (const [end, leave] of ends) {
    since = stage.now
    t.equal(fill(), 4, `before ${end}`)
    leave()
    t.equal(Object.values(stage.known).filter((what) => what.startsWith('REACHABLE eth1')).length, 0, end)
  }
  t.equal(fill(), 4, 'after all of it')
})

t.test('once no second answer can count, an owner remembers nothing of the question', async (t) => {
  const links = new Links(chance(1))
  const rules = new Rules(configOf(TIMED), chance(1))
  for (const link of twoLinks()) { links.set(link); rules.link(link) }
  const neighbors = new Neighbors(links, new Recorder(), { owner() {}, answer() {} }, chance(1))
  const target = ip(VM)
  const rule = rules.owning(ETH1, target.w0, target.w1, target.w2, target.w3)!
  neighbors.ask({ target, rule, links: [ETH1, ETH0], lane: 'alive', from: ETH1, reason: 'evidence' }, 0 as Instant)
  const neighbor = neighbors.find(target)!
  neighbors.prove(neighbor, ETH1, mac(VM2), 100 as Instant)
  t.equal(neighbors.deadline, 1100 as Instant)
  neighbors.wake(1099 as Instant)
  t.same(neighbor.asking, [ETH1, ETH0])
  neighbors.wake(1100 as Instant)
  t.same(neighbor.asking, [])
  t.equal(neighbors.deadline, 28_100 as Instant)
  t.equal(neighbor.state, 'REACHABLE')
})

t.test('restored owners are known at once and verified by their group', async (t) => {
  const sink = new Recorder()
  const links = new Links(chance(1))
  const rules = new Rules(configOf(TIMED), chance(1))
  for (const link of twoLinks()) { links.set(link); rules.link(link) }
  const answered: string[] = []
  const neighbors = new Neighbors(links, sink, { owner() {}, answer: ({ target }) => { answered.push(target.toString()) } }, chance(1))
  const target = ip(VM)
  const rule = rules.owning(ETH1, target.w0, target.w1, target.w2, target.w3)!
  t.ok(neighbors.restore(target, ETH1, undefined, rule, 0 as Instant))
  t.equal(neighbors.restore(target, ETH1, undefined, rule, 0 as Instant), undefined)
  t.equal(neighbors.size, 1)
  neighbors.wake(0 as Instant)
  t.same(sink.take('solicit', 'confirm'), [`solicit eth1 ${VM}`])
  const neighbor = neighbors.find(target)!
  t.ok(neighbor.isOwned)
  neighbors.confirm(neighbor, { ifindex: ETH0, source: own('fe80::1').address, mac: mac(ROUTER) }, 100 as Instant)
  neighbors.prove(neighbor, ETH1, mac(VM2), 200 as Instant)
  t.same(answered, [VM])
  t.equal(neighbors.deadline, 28_200 as Instant)
  neighbors.remove(neighbor, 'configuration', 300 as Instant)
  t.equal(neighbors.size, 0)
  t.equal(neighbors.deadline, undefined)
})

t.test('host-limit: a host downstream has only so many questions under way', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host'))
  const ask = (n: number, from: string) => stage.ns(ETH1, nth(n), { from, source: 'fe80::2' })
  t.same([ask(1, VM2), ask(2, VM2), ask(3, VM2)], ['probing', 'probing', 'limit'])
  t.same(stage.sink.take('limit'), ['limit host 2'])
  t.equal(ask(1, VM2), 'probing', 'what is asked already may be waited for')
  t.equal(ask(4, VM3), 'probing', 'another host may')
  t.same([5, 6, 7].map((n) => stage.ns(ETH0, nth(n))), ['probing', 'probing', 'probing'], 'the router asks for all the world')
  stage.na(ETH0, nth(1), ROUTER)
  t.equal(ask(3, VM2), 'probing', 'one is answered')
  stage.wait(2000)
  t.same([ask(8, VM2), ask(9, VM2), ask(10, VM2)], ['probing', 'probing', 'limit'], 'all are over')
})

t.test('many hosts that went upstream at once, behind one lladdr, are all asked for there', async (t) => {
  const stage = new Stage(TIMED.replace('host', 'host-limit 2\n host'))
  stage.learn(nth(1), VM2)
  stage.learn(nth(2), VM2)
  stage.learn(nth(3), VM3)
  stage.wait(1000)
  for (const n of [1, 2, 3]) stage.frame(ETH0, na({ target: nth(n), from: ROUTER }))
  stage.sink.take()
  stage.wait(2000)
  t.same(stage.sink.take('solicit eth0'), [1, 2, 3].map((n) => `solicit eth0 ${nth(n)}`))
})
