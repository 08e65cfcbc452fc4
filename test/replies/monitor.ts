/** The queue of events for a monitor: filters, the limit, and the end. */
import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import type { Part, Request } from '../../src/control/protocol.ts'
import type { Instant, PacketOutcome } from '../../src/engine-types.ts'
import type { Outcome } from '../../src/events.ts'
import { Observers } from '../../src/observers.ts'
import { type MonitorEvent, monitorReply, QUEUE_LIMIT } from '../../src/replies/monitor.ts'
import { schemaErrors } from '../kit/schema.ts'

const NOW = 5 as Instant
const nameOf = (ifindex: number): string => `eth${ifindex}`
const ip = (text: string): Address => Address.parse(text)!

function packet(target: string, outcome: Outcome, ifindex = 0, type = 135): PacketOutcome {
  const { w0, w1, w2, w3 } = ip(target)
  const source = ip('fe80::1')
  return { outcome, ifindex, type, t0: w0, t1: w1, t2: w2, t3: w3, s0: source.w0, s1: source.w1, s2: source.w2, s3: source.w3,
    mac: parseMac('02:00:00:00:00:01')!, isUnicast: false }
}

function monitor(args: object = {}) {
  const observers = new Observers()
  const closed = new AbortController()
  const reply = monitorReply({ version: 1, command: 'monitor', ...args } as Request, { observers, nameOf }, closed.signal)
  const next = async (): Promise<MonitorEvent[]> => ((await reply.next()).value as Part | undefined)?.events as MonitorEvent[]
  return { observers, closed, reply, next }
}

const show = (events: readonly MonitorEvent[]): string[] => events.map(({ event, interface: iface, target, reason, count }) =>
  [event, iface, target, reason, count].filter((part) => part !== null).join(' '))

t.test('packets and events, as the schema has them', async (t) => {
  const { observers, reply, next } = monitor()
  t.match((await reply.next()).value, { since: /^\d{4}-.*Z$/ })
  observers.packet(packet('2001:db8::2', 'answered'), NOW)
  observers.packet(packet('2001:db8::2', 'failed', 1), NOW)
  observers.packet(packet('2001:db8::2', 'proof', 1, 136), NOW)
  observers.packet(packet('::', 'not-ndisc', 1, 0), NOW)
  observers.event({ kind: 'answered', target: ip('2001:db8::2'), ifindex: 0, source: ip('fe80::1'), mac: parseMac('02:00:00:00:00:01')! }, NOW)
  observers.event({ kind: 'neighbor', target: ip('2001:db8::2'), state: 'FAILED', ifindex: undefined, mac: undefined, reason: 'no answer',
    former: 1, news: false }, NOW)
  observers.event({ kind: 'overrun', ifindex: 1, count: 7 }, NOW)
  const events = await next()
  t.same(show(events), ['answered eth0 2001:db8::2 answered', 'unanswered eth1 2001:db8::2 failed', 'advertisement eth1 2001:db8::2 proof',
    'dropped eth1 not-ndisc', 'answered eth0 2001:db8::2 waited', 'neighbor 2001:db8::2 no answer', 'overrun eth1 7'])
  for (const event of events) t.same(schemaErrors('event', event), [], event.event)
  await reply.return(undefined)
})

t.test('filters', async (t) => {
  const shown = async (args: object): Promise<string[]> => {
    const { observers, reply, next } = monitor(args)
    await reply.next()
    observers.packet(packet('2001:db8::2', 'answered'), NOW)
    observers.packet(packet('2001:db8:1::2', 'hop-limit', 1), NOW)
    observers.event({ kind: 'link', iface: 'eth1', ifindex: 3, state: 'up' }, NOW)
    observers.event({ kind: 'foreign', target: ip('2001:db8:1::3'), ifindex: 0, mac: undefined, other: undefined }, NOW)
    const events = await next()
    await reply.return(undefined)
    return show(events)
  }
  t.same(await shown({ target: '2001:db8:1::/48' }), ['dropped eth1 2001:db8:1::2 hop-limit', 'foreign eth0 2001:db8:1::3'])
  t.same(await shown({ target: '2001:db8::2' }), ['answered eth0 2001:db8::2 answered'])
  t.same(await shown({ link: 'eth1' }), ['dropped eth1 2001:db8:1::2 hop-limit', 'link eth1'])
  t.same(await shown({ kinds: ['link', 'answered'] }), ['answered eth0 2001:db8::2 answered', 'link eth1'])
  t.same(await shown({ kinds: ['foreign'], link: 'eth0', target: '::/0' }), ['foreign eth0 2001:db8:1::3'])
  for (const args of [{ target: 'x' }, { target: 5 }, { link: 5 }, { kinds: 'link' }, { kinds: [5] }]) {
    await t.rejects(monitor(args).reply.next(), JSON.stringify(args))
  }
})

t.test('a client that does not read loses the newest events, and gets their number', async (t) => {
  const { observers, reply, next } = monitor()
  await reply.next()
  for (let i = 0; i < QUEUE_LIMIT + 100; i++) observers.packet(packet('2001:db8::2', 'answered'), NOW)
  let count = 0
  let events: MonitorEvent[] = []
  while (count < QUEUE_LIMIT) count += (events = await next()).filter(({ event }) => event === 'answered').length
  t.equal(count, QUEUE_LIMIT)
  t.same(show(events.slice(-1)), ['lost 100'])
  observers.packet(packet('2001:db8::2', 'answered'), NOW)
  t.same(show(await next()), ['answered eth0 2001:db8::2 answered'])
  for (let i = 0; i < QUEUE_LIMIT + 5; i++) observers.packet(packet('2001:db8::2', 'answered'), NOW)
  await next()
  observers.packet(packet('2001:db8::2', 'failed'), NOW)
  events = []
  while (events.at(-1)?.reason !== 'failed') events = await next()
  t.same(show(events.slice(-2)), ['lost 5', 'unanswered eth0 2001:db8::2 failed'], 'in its place')
  await reply.return(undefined)
})

t.test('a client that is gone has no observer any more, also while nothing happens', async (t) => {
  const { observers, closed, reply, next } = monitor()
  await reply.next()
  const waiting = next()
  closed.abort()
  t.equal(await waiting, undefined)
  observers.packet(packet('2001:db8::2', 'answered'), NOW)
  t.same(await reply.next(), { value: undefined, done: true })
})
