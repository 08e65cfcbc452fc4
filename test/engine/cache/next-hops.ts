/** Addresses behind a next hop: the next hop is probed, once for all of them, and they are answered for while it is alive. */
import t from 'tap'
import { BEHIND_HOPS_LIMIT } from '../../../src/engine/cache/capacity.ts'
import { HOP_LIMIT } from '../../../src/engine/cache/next-hops.ts'
import {
  A, B, C, CONFIG, ETH0, ETH1, ETH2, GUEST, Guest, HOP, HOP_LOCAL, ip, LO, linkOf, na, own, twoLinks, VM2, VM3,
} from '../kit/guest.ts'

for (const hop of [HOP, HOP_LOCAL]) {
  t.test(`the next hop ${hop} is probed instead of the target, once for all targets`, async (t) => {
    const stage = new Guest(hop)
    t.equal(stage.solicit(A), 'probing')
    t.same(stage.probes(), [`solicit eth1 ${hop}`], 'not the target')
    t.equal(stage.of(A), `INCOMPLETE - ${hop}`)
    t.equal(stage.solicit(B), 'probing')
    t.same(stage.sink.take('solicit', 'confirm', 'advertise'), [], 'one probe')
    t.equal(stage.na(ETH1, A, GUEST), 'unsolicited', 'the target was not probed')
    t.equal(stage.alive(hop), 'proof')
    t.same(stage.answers(), [`eth0 ${A}`, `eth0 ${B}`])
    for (const target of [A, B]) t.equal(stage.of(target), `REACHABLE eth1 ${hop}`)
    stage.solicit(C)
    t.same(stage.sink.take('solicit', 'confirm', 'advertise', 'route').map((line) => line.split(' ', 3).join(' ')), [`advertise eth0 ${C}`],
      'a later target is answered at once')
    t.equal(stage.solicit(C), 'answered')
    t.match(stage.engine.explain(ip(A), stage.now).neighbor, { via: hop, proxied: false }, 'the next hop is no proxy')
    t.same(stage.saved, [], 'their proof is that of the next hop')
    t.same(stage.used, [1, 3])
  })
}

t.test('the next hop is verified by unicast before the end of ttl, once for all targets', async (t) => {
  const stage = new Guest()
  stage.solicit(A)
  stage.alive()
  stage.pass(10_000)
  stage.solicit(B)
  stage.sink.take()
  stage.pass(17_990)
  t.same(stage.sink.take(), [])
  stage.pass(20)
  t.same(stage.probes(), [`confirm eth1 ${HOP} from fe80::ff:3 to ${GUEST}`])
  t.equal(stage.of(B), `PROBE eth1 ${HOP}`)
  t.equal(stage.solicit(B), 'answered', 'still known')
  t.equal(stage.alive(HOP, VM3), 'unsolicited', 'not another host')
  t.equal(stage.alive(), 'proof')
  for (const target of [A, B]) t.equal(stage.of(target), `REACHABLE eth1 ${HOP}`)
})

t.test('a next hop that is silent: no target is answered for after ttl, and the event names the next hop', async (t) => {
  const stage = new Guest()
  stage.solicit(A)
  stage.alive()
  stage.pass(5000)
  stage.solicit(B)
  t.same(stage.sink.take('next-hop'), [`next-hop ${HOP} eth1 alive`])
  stage.pass(25_010)
  t.equal(stage.of(A), `FAILED - ${HOP}`)
  t.equal(stage.of(B), `FAILED - ${HOP}`)
  t.same(stage.sink.take('next-hop', 'neighbor').filter((line) => !line.includes('PROBE')).sort(),
    [`neighbor ${A} FAILED: next hop silent`, `neighbor ${B} FAILED: next hop silent`, `next-hop ${HOP} eth1 silent`])
  t.equal(stage.solicit(A), 'probing', 'it was alive, so it is probed again')
  t.same(stage.probes(), [`solicit eth1 ${HOP}`])
  stage.alive(HOP, VM3)
  t.same(stage.answers(), [`eth0 ${A}`], 'perhaps with another link-layer address')
})

t.test('a next hop that never replied: negative for deadtime, or until it shows itself', async (t) => {
  const silent = (): Guest => {
    const stage = new Guest(HOP_LOCAL)
    stage.solicit(A)
    stage.pass(2001)
    t.same(stage.probes(), Array(4).fill(`solicit eth1 ${HOP_LOCAL}`))
    t.equal(stage.of(A), `FAILED - ${HOP_LOCAL}`)
    t.equal(stage.solicit(A), 'failed')
    stage.solicit(B)
    t.equal(stage.of(B), `FAILED - ${HOP_LOCAL}`, 'at once')
    t.same(stage.probes(), [])
    return stage
  }
  const later = silent()
  later.pass(20_010)
  t.same(later.used, [0, 0])
  t.equal(later.solicit(A), 'probing', 'after deadtime')
  t.same(later.probes(), [`solicit eth1 ${HOP_LOCAL}`])
  const signs: Record<string, (stage: Guest) => void> = {
    'a solicitation of it': (stage) => stage.ns(ETH1, '2001:db8::1', { from: GUEST, source: HOP_LOCAL }),
    'its DAD': (stage) => stage.dad(ETH1, HOP_LOCAL, GUEST),
    'an advertisement': (stage) => stage.alive(HOP_LOCAL, GUEST, { flags: 'O' }),
    'the kernel': (stage) => stage.kernel(HOP_LOCAL, ETH1, GUEST, 'known'),
    'its link': (stage) => {
      stage.link(linkOf(ETH1, { up: false }))
      stage.link(linkOf(ETH1))
    },
  }
  for (const [name, sign] of Object.entries(signs)) {
    const stage = silent()
    sign(stage)
    t.equal(stage.solicit(A), 'probing', name)
    stage.alive(HOP_LOCAL)
    t.same(stage.answers(), [`eth0 ${A}`], name)
  }
})

t.test('the next hop is a neighbor that is known', async (t) => {
  const stage = new Guest()
  stage.way = { ifindex: ETH1, via: undefined }
  stage.solicit(HOP)
  stage.alive()
  stage.sink.take()
  stage.way = { ifindex: ETH1, via: HOP }
  stage.solicit(A)
  t.same(stage.sink.take('solicit', 'confirm', 'advertise').map((line) => line.split(' ', 3).join(' ')), [`advertise eth0 ${A}`])
})

t.test('the next hop changes', async (t) => {
  const stage = new Guest()
  stage.solicit(A)
  stage.alive()
  stage.sink.take()
  stage.reroute(ETH1, HOP)
  t.same(stage.sink.take(), [], 'no change')
  stage.reroute(ETH1, HOP_LOCAL, '2001:db8::200:0/112')
  t.same(stage.probes(), [], 'a route to other addresses')
  stage.reroute(ETH1, HOP_LOCAL, '2001:db8::101:0/112')
  t.same(stage.probes(), [`solicit eth1 ${HOP_LOCAL}`])
  t.equal(stage.solicit(A), 'answered', 'meanwhile')
  stage.alive(HOP_LOCAL, VM3)
  t.equal(stage.of(A), `REACHABLE eth1 ${HOP_LOCAL}`)
  stage.reroute(ETH1, 'fe80::3')
  stage.pass(2001)
  t.equal(stage.of(A), 'FAILED - fe80::3', 'the new one is silent')
  stage.reroute(ETH1, HOP_LOCAL)
  t.equal(stage.of(A), '-', 'the negative entry ends')
  stage.solicit(A)
  t.equal(stage.of(A), `REACHABLE eth1 ${HOP_LOCAL}`)
  stage.reroute(ETH1, undefined)
  t.equal(stage.of(A), '-', 'on the link itself now')
  stage.sink.take()
  stage.solicit(A)
  t.same(stage.probes(), [`solicit eth1 ${A}`])
})

t.test('a route that discards packets, leads back or to this machine', async (t) => {
  for (const ifindex of [undefined, ETH0, LO]) {
    const stage = new Guest(HOP, CONFIG, [linkOf(LO, { mac: undefined, name: 'lo' }), ...twoLinks()])
    stage.way = { ifindex, via: HOP }
    stage.solicit(A)
    t.match(stage.of(A), /^FAILED/)
    t.same(stage.probes(), [])
    stage.reroute(ETH1, HOP)
    stage.solicit(A)
    stage.alive()
    t.equal(stage.of(A), `REACHABLE eth1 ${HOP}`)
    stage.reroute(ifindex, HOP)
    t.match(stage.of(A), /^FAILED/, 'later')
  }
})

t.test('the kernel reports that the next hop is gone, or that it is reachable', async (t) => {
  const stage = new Guest(HOP_LOCAL)
  stage.solicit(A)
  stage.alive(HOP_LOCAL)
  stage.pass(20_000)
  stage.kernel(HOP_LOCAL, ETH1, GUEST, 'reachable')
  stage.sink.take()
  stage.pass(20_000)
  t.same(stage.probes(), [], 'as a proof')
  stage.kernel(HOP_LOCAL, ETH1, undefined, 'failed')
  stage.pass(2001)
  t.equal(stage.of(A), `FAILED - ${HOP_LOCAL}`)
})

t.test('a tunnel without link-layer addresses', async (t) => {
  const wg0 = linkOf(ETH1, { mac: undefined, addresses: [own('fe80::ff:3'), own('2001:db8::100:1', 112)] })
  const stage = new Guest(HOP_LOCAL, CONFIG, [twoLinks()[0], wg0])
  stage.solicit(A)
  t.same(stage.probes(), [HOP_LOCAL, 'ff02::1'].map((to) => `confirm eth1 ${HOP_LOCAL}${to === HOP_LOCAL ? '' : ` at ${to}`} from fe80::ff:3`))
  t.equal(stage.frame(ETH1, na({ target: HOP_LOCAL, from: VM2, to: 'fe80::ff:3', tlla: '' }), true), 'proof')
  t.same(stage.answers(), [`eth0 ${A}`])
})

t.test('DAD: the next hop does not prove that the host exists', async (t) => {
  const stage = new Guest()
  stage.dad(ETH0, A, VM3)
  stage.solicit(B)
  stage.alive()
  t.same(stage.answers(), [`eth0 ${B}`])
  t.equal(stage.dad(ETH0, B, VM3), 'dad-unproven')
})

t.test('a link that is gone', async (t) => {
  const stage = new Guest()
  stage.solicit(A)
  stage.alive()
  stage.gone(ETH1)
  t.same(stage.used, [0, 0])
  t.equal(stage.of(A), '-')
  stage.link(linkOf(ETH1))
  stage.solicit(A)
  stage.gone(ETH1)
  stage.link(linkOf(ETH1))
  stage.pass(501)
  stage.alive()
  t.equal(stage.of(A), `REACHABLE eth1 ${HOP}`, 'also while the next hop was probed')
})

t.test('a rule with links beside `auto`: the target may be on them', async (t) => {
  const both = CONFIG.replace('}\n}', '}\n rule 2001:db8::100:0/111 { iface eth2 }\n}')
  const stage = new Guest(HOP, both, [...twoLinks(), linkOf(ETH2)])
  stage.solicit(A)
  t.same(stage.probes(), [`solicit eth2 ${A}`, `solicit eth1 ${HOP}`])
  stage.na(ETH2, A, VM3)
  t.equal(stage.of(A), 'REACHABLE eth2 -')
  stage.solicit(B)
  stage.pass(2001)
  t.match(stage.of(B), /^FAILED/)
})

t.test('the numbers of next hops and of addresses behind them are limited', async (t) => {
  const stage = new Guest(HOP, CONFIG.replace('timeout', 'probe-limit 100000\n limit 10\n host-limit 10\n timeout'))
  const many = (n: number): string => `2001:db8::101:${n.toString(16)}`
  stage.solicit(many(1))
  stage.alive()
  for (let n = 2; n <= BEHIND_HOPS_LIMIT + 1; n++) {
    stage.solicit(many(n))
    if (n % 32 === 0) stage.pass(10)
  }
  stage.pass(50)
  t.same(stage.used, [1, BEHIND_HOPS_LIMIT], '`limit` and `host-limit` do not count')
  t.equal(stage.of(many(1)), '-', 'the oldest is replaced')
  stage.answers()
  stage.solicit(many(1))
  t.same(stage.answers(), [`eth0 ${many(1)}`], 'and is answered for at its next solicitation')

  const hops = new Guest(HOP, CONFIG.replace('timeout', 'probe-limit 100000\n timeout'))
  for (let n = 1; n <= HOP_LIMIT + 1; n++) {
    hops.way.via = `fe80::1:${n.toString(16)}`
    hops.solicit(many(n))
    if (n % 32 === 0) hops.pass(1)
  }
  t.same(hops.used, [HOP_LIMIT, 0])
  t.same(hops.sink.take('limit'), [`limit next-hops ${HOP_LIMIT}`])
})
