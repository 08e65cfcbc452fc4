/** The ring of the last solicitations. */
import t from 'tap'
import { Address, parseMac } from '../src/address.ts'
import type { Instant, PacketOutcome } from '../src/engine-types.ts'
import type { Outcome } from '../src/events.ts'
import { History } from '../src/history.ts'

const ip = (text: string): Address => Address.parse(text)!
const ROUTER = parseMac('02:00:00:00:00:01')!
const TARGET = ip('2001:db8::2')

function packet(target: Address, outcome: Outcome, more: Partial<PacketOutcome> = {}): PacketOutcome {
  const source = ip('fe80::1')
  return { outcome, ifindex: 2, type: 135, t0: target.w0, t1: target.w1, t2: target.w2, t3: target.w3,
    s0: source.w0, s1: source.w1, s2: source.w2, s3: source.w3, mac: ROUTER, isUnicast: false, ...more }
}

function show(history: History, target = TARGET, limit = 10): string[] {
  return history.of(target, limit).map(({ at, ifindex, source, mac, isUnicast, outcome, waited }) =>
    `${at} ${ifindex} ${source} ${mac === ROUTER ? 'router' : mac} ${isUnicast ? 'unicast' : 'multicast'} ${outcome}${waited === undefined ? '' : ` after ${waited}`}`)
}

t.test('solicitations of one target, with their outcomes', async (t) => {
  const history = new History()
  history.packet(packet(TARGET, 'answered', { isUnicast: true }), 5 as Instant)
  history.packet(packet(ip('2001:db8::3'), 'answered'), 6 as Instant)
  history.packet(packet(TARGET, 'proof', { type: 136 }), 7 as Instant)
  history.packet(packet(TARGET, 'failed', { ifindex: 3 }), 8 as Instant)
  history.packet(packet(TARGET, 'answered'), 9 as Instant)
  t.same(show(history), ['5 2 fe80::1 router unicast answered', '8 3 fe80::1 router multicast failed', '9 2 fe80::1 router multicast answered'])
  t.same(show(history, TARGET, 1), ['9 2 fe80::1 router multicast answered'], 'the last one')
  t.same(show(history, ip('2001:db8::4')), [])
})

t.test('a later answer completes the solicitations of its solicitor', async (t) => {
  const history = new History()
  const answered = (source: string, at: number, ifindex = 2): void =>
    history.answered({ kind: 'answered', target: TARGET, ifindex, source: ip(source), mac: ROUTER }, at as Instant)
  history.packet(packet(TARGET, 'probing'), 1 as Instant)
  history.packet(packet(TARGET, 'probing', { ifindex: 3 }), 2 as Instant)
  history.packet(packet(TARGET, 'probing'), 3 as Instant)
  answered('fe80::9', 4)
  answered('fe80::1', 5)
  history.packet(packet(TARGET, 'probing'), 6 as Instant)
  history.packet(packet(TARGET, 'dad-unproven', { ifindex: 4 }), 7 as Instant)
  answered('fe80::1', 10, 4)
  t.same(show(history), ['1 2 fe80::1 router multicast answered after 4', '2 3 fe80::1 router multicast probing',
    '3 2 fe80::1 router multicast answered after 2', '6 2 fe80::1 router multicast probing', '7 4 fe80::1 router multicast answered after 3'])
})

t.test('a scan displaces no answered solicitation, and the memory is bounded', async (t) => {
  const history = new History()
  history.packet(packet(TARGET, 'answered'), 1 as Instant)
  history.packet(packet(TARGET, 'limit'), 2 as Instant)
  for (let i = 0; i < 10_000; i++) history.packet(packet(new Address(0x20010db8, 0, 1, i), 'probing'), 3 as Instant)
  t.same(show(history), ['1 2 fe80::1 router multicast answered'])
  t.same(show(history, new Address(0x20010db8, 0, 1, 9999)), ['3 2 fe80::1 router multicast probing'])
  for (let i = 0; i < 10_000; i++) history.packet(packet(TARGET, 'answered'), 4 as Instant)
  t.equal(history.of(TARGET, Number.POSITIVE_INFINITY).length, 2048)
})
