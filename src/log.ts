/**
 * The log: engine events as pino records, and where records go. The engine never logs; this is one of its readers.
 *
 * A record is a sentence and fields: `event`, `target`, `lladdr`, `iface`, `reason`, ... The same record is a line on a
 * terminal, pino's JSON in a pipe, and an entry with fields of its own in the journal (systemd.journal-fields(7)).
 * Pino hands the record over as it is (`pino.metadata`), so that its JSON is never parsed again.
 */
import { pino } from 'pino'
import type { DestinationStream, LevelWithSilent, Logger } from 'pino'
import { Address, formatMac } from './address.ts'
import type { Event, Instant, Limit, Outcome } from './engine/types.ts'

export const OUTPUTS = ['terminal', 'json', 'journal'] as const
export type Output = (typeof OUTPUTS)[number]

export interface LogOptions {
  readonly level: LevelWithSilent
  readonly output: Output
  /** Takes the entries of output `journal`. */
  readonly journal?: (fields: Record<string, string>) => void
  /** Takes the lines of the other two. Default: stdout, each written before the call returns. */
  readonly lines?: DestinationStream
}

/** What a destination learns of a record. `time` is milliseconds since 1970; `level` as pino has it (info is 30). */
export interface LogRecord {
  readonly level: number
  readonly time: number
  readonly msg: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** `journalctl MESSAGE_ID=...`, and the key of the journal's catalog: by `event` field, the same for ever. */
export const MESSAGE_IDS: Readonly<Record<string, string>> = {
  neighbor: '6f0c3b1d5a8e4f2fb0d7c94e21a3685b',
  link: 'c2e97a4480f14d3c9b5e06d7f8312a69',
  conflict: '1d84f6ab937c4e50a2c86b9f50e7d413',
  limit: 'a95b20e7c6d84b1f8e3d74f10926cb5a',
  overrun: 'f67baacd8baf8443b9aef4792d217058',
  ready: '3e71d8c50b6f4a92b84fc1e6a7d0592c',
  reload: '84a6e1f92c7d4053be10d95f3b68c7e2',
  stop: 'f53c09b7e82a4d61975be8d2046fa1c3',
}

const METADATA = Symbol.for('pino.metadata')
/** A key that repeats within this time is counted instead of said. Milliseconds. */
const REPEAT_WINDOW = 10_000
/** Keys that are counted apart; the others share one count for each kind of event. */
const MAX_REPEATS = 256

/** Hands records to `take`, in the shape in which they were logged. */
class Records implements DestinationStream {
  readonly [METADATA] = true
  readonly #take: (record: LogRecord) => void
  // Set by pino before each write.
  lastLevel = 0
  lastTime = ''
  lastMsg: string | undefined
  lastObj: object = {}

  constructor(take: (record: LogRecord) => void) { this.#take = take }

  write(): void {
    const fields = this.lastObj as Readonly<Record<string, unknown>>
    const msg = this.lastMsg ?? (typeof fields.msg === 'string' ? fields.msg : '')
    this.#take({ level: this.lastLevel, time: Number(this.lastTime), msg, fields })
  }
}

function toText(value: unknown): string {
  if (value instanceof Error) return value.stack ?? String(value)
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)
}

/** Fields whose values are in the sentence already. */
const SAID = ['event', 'target', 'state', 'iface', 'lladdr', 'reason', 'count', 'size', 'err']

/** Fields that were given a value, without the message. */
function given(fields: LogRecord['fields']): [string, unknown][] {
  return Object.entries(fields).filter(([key, value]) => key !== 'msg' && value !== undefined)
}

/**
 * `12:34:56 info  2001:db8::2 REACHABLE on eth1 (52:54:00:12:34:56)`, in local time, with a newline. Fields that
 * the sentence does not hold follow it; then the stack of what was an error, on lines of its own. Control characters (an
 * interface may be named with them) do not get to the terminal.
 */
export function terminalLine({ level, time, msg, fields }: LogRecord): string {
  const clock = new Date(time).toTimeString().slice(0, 8)
  const name = (pino.levels.labels[level] ?? String(level)).padEnd(5)
  const rest = given(fields).filter(([key]) => !SAID.includes(key))
  const line = [`${clock} ${name}`, msg, ...rest.map(([key, value]) => `${key}=${toText(value)}`)].join(' ')
  const stack = fields.err instanceof Error && level >= 50 ? `\n${toText(fields.err)}` : ''
  return `${line.replace(/\p{Cc}/gu, '?')}${stack}\n`
}

/** Pino's level as in syslog(3). */
function priority(level: number): string {
  return level >= 60 ? '2' : level >= 50 ? '3' : level >= 40 ? '4' : level >= 30 ? '6' : '7'
}

/** `iface` is INTERFACE, as others call it; every other field is `NDP_` and its name, letters only. */
export function journalFields({ level, msg, fields }: LogRecord): Record<string, string> {
  const entry: Record<string, string> = { MESSAGE: msg, PRIORITY: priority(level), SYSLOG_IDENTIFIER: 'ndp6d' }
  if (typeof fields.event === 'string' && Object.hasOwn(MESSAGE_IDS, fields.event)) {
    entry.MESSAGE_ID = MESSAGE_IDS[fields.event]
  }
  for (const [key, value] of given(fields)) {
    entry[key === 'iface' ? 'INTERFACE' : `NDP_${key.toUpperCase().replace(/[^A-Z]/g, '_')}`] = toText(value)
  }
  return entry
}

/**
 * What was asked for; else the journal when stderr leads there, lines on a terminal, JSON in a pipe.
 * @param asked `--log` or NDP6D_LOG; `auto`, nothing, or an unknown word leaves the choice to us
 */
export function chooseOutput(asked: string | undefined, journal: boolean, terminal: boolean): Output {
  return OUTPUTS.find((output) => output === asked) ?? (journal ? 'journal' : terminal ? 'terminal' : 'json')
}

/** A pino logger. Give fields with each record: bindings of child loggers are seen in JSON only. */
export function createLog({ level, output, journal, lines }: LogOptions): Logger {
  const out = lines ?? (output === 'journal' ? undefined : pino.destination({ dest: 1, sync: true }))
  const destination = (): DestinationStream => {
    switch (output) {
      case 'json': return out!
      case 'terminal': return new Records((record) => out!.write(terminalLine(record)))
      case 'journal': return new Records((record) => journal?.(journalFields(record)))
    }
  }
  return pino({ level, base: null }, destination())
}

type Trouble = Extract<Event, { kind: 'conflict' | 'limit' }>

/** The same trouble again and again: said once, then counted for a while. */
interface Repeat {
  readonly end: Instant
  count: number
  last: Trouble
}

/** Turns events and outcomes into records. */
export class EventLog {
  readonly #log: Logger
  readonly #linkName: (ifindex: number) => string
  /** Of each packet it is asked whether there is something to say. */
  readonly #isDebug: boolean
  /** In the order of their ends. */
  readonly #repeats = new Map<string, Repeat>()

  constructor(log: Logger, linkName: (ifindex: number) => string) {
    this.#log = log
    this.#linkName = linkName
    this.#isDebug = log.isLevelEnabled('debug')
  }

  /** An owner that appears, moves or is lost, links and trouble; what a scan or a routine check causes is debug. */
  event(event: Event, now: Instant): void {
    this.tick(now)
    switch (event.kind) {
      case 'neighbor': return this.#neighbor(event)
      case 'link': return this.#log.info({ event: 'link', iface: event.iface, state: event.state },
        `${event.iface} ${event.state}`)
      case 'conflict': return this.#trouble(`conflict ${event.target}`, event, now)
      case 'limit': return this.#trouble(`limit ${event.limit} ${event.ifindex ?? event.mac ?? ''}`, event, now)
      case 'overrun': return this.#log.warn({ event: 'overrun', iface: this.#linkName(event.ifindex), count: event.count },
        `${this.#linkName(event.ifindex)}: ${event.count} packets were dropped, which came faster than they could be read: a flood, `
        + 'or a machine that has no time for this program (`CPUWeight=` of its unit); who asked will ask again')
      case 'deaf': return this.#log.warn({ event: 'deaf', iface: event.iface },
        `${event.iface}: traffic for the hosts behind us passes, but no multicast solicitation came in for ${event.minutes} minutes: `
        + 'is there a switch with MLD snooping? `snooping mirror` or `snooping mrd` makes it pass them')
    }
  }

  /** What became of a packet about a target, given as words (see Address; all zero: it had none). Debug only. */
  outcome(outcome: Outcome, ifindex: number, t0: number, t1: number, t2: number, t3: number): void {
    if (!this.#isDebug) return
    const address = new Address(t0, t1, t2, t3)
    const target = address.isUnspecified ? undefined : address.toString()
    const iface = this.#linkName(ifindex)
    this.#log.debug({ event: 'packet', reason: outcome, target, iface }, `${outcome} ${target ?? 'a packet'} on ${iface}`)
  }

  get limits(): Limit[] {
    return [{ name: 'kinds of trouble that the log counts', used: this.#repeats.size, size: MAX_REPEATS + 2 }]
  }

  /** Says what was counted, once its time is over. Call it every few seconds; each event does as well. */
  tick(now: Instant): void {
    for (const [key, { end, count, last }] of this.#repeats) {
      if (end > now) return
      this.#repeats.delete(key)
      if (count === 0) continue
      this.#say(last, count)
      this.#repeats.set(key, { end: now + REPEAT_WINDOW as Instant, count: 0, last })
    }
  }

  #neighbor(event: Extract<Event, { kind: 'neighbor' }>): void {
    const { state, ifindex, mac, news } = event
    const level = news ? 'info' : 'debug'
    // An address's text is not made for nobody: there are thousands of routine checks a second, and of a scan's targets.
    if (!this.#log.isLevelEnabled(level)) return
    const target = event.target.toString()
    const iface = ifindex === undefined ? undefined : this.#linkName(ifindex)
    const lladdr = mac === undefined ? undefined : formatMac(mac)
    const reason = event.reason === '' ? undefined : event.reason
    this.#log[level]({ event: 'neighbor', target, state, iface, lladdr, reason },
      [target, state, iface && `on ${iface}`, lladdr && `(${lladdr})`].filter(Boolean).join(' ')
        + (reason === undefined ? '' : `: ${reason}`))
  }

  #trouble(wanted: string, event: Trouble, now: Instant): void {
    const key = this.#repeats.has(wanted) || this.#repeats.size < MAX_REPEATS ? wanted : event.kind
    const repeat = this.#repeats.get(key)
    if (repeat === undefined) {
      this.#repeats.set(key, { end: now + REPEAT_WINDOW as Instant, count: 0, last: event })
      this.#say(event)
    } else {
      repeat.count++
      repeat.last = event
    }
  }

  /** @param count how many like it there were before, unsaid */
  #say(event: Trouble, count?: number): void {
    const more = count === undefined ? '' : ` (${count} more like this in ${REPEAT_WINDOW / 1000} s)`
    switch (event.kind) {
      case 'conflict': {
        const target = event.target.toString()
        const lladdr = formatMac(event.mac)
        const iface = this.#linkName(event.ifindex)
        return this.#log.warn({ event: 'conflict', target, iface, lladdr, count },
          `${target} is claimed by ${lladdr} on ${iface}, but its owner still answers${more}`)
      }
      case 'limit': {
        const lladdr = event.mac === undefined ? undefined : formatMac(event.mac)
        const iface = event.ifindex === undefined ? undefined : this.#linkName(event.ifindex)
        const refused = event.refused === undefined ? '' : `, ${event.refused} refused since this was said last`
        return this.#log.warn({ event: 'limit', reason: event.limit, lladdr, iface, size: event.size, count: count ?? event.refused },
          `limit of ${event.size} ${limitWords(event.limit)}${iface === undefined ? '' : ` on ${iface}`}`
          + `${lladdr === undefined ? '' : ` for ${lladdr}`} reached${refused}${more}`)
      }
    }
  }
}

function limitWords(limit: Extract<Trouble, { kind: 'limit' }>['limit']): string {
  switch (limit) {
    case 'neighbors': return 'learned addresses (option limit)'
    case 'host': return 'addresses (option host-limit)'
    case 'askers': return 'waiting askers'
    case 'waiting': return 'askers of one target'
    case 'probes': return 'probes a second for unknown targets (option probe-limit)'
    case 'questions': return 'questions that wait for their turn'
    case 'tentative': return 'addresses in DAD'
    case 'lookups': return 'questions to the kernel'
    case 'announcements': return 'announcements under way'
    case 'groups': return 'multicast groups of one link'
    case 'absent': return 'hosts of links that are gone'
    case 'links': return 'links that are heard'
    case 'prefixes': return 'on-link prefixes'
    case 'routes': return 'route changes that wait for the kernel'
    case 'known': return 'entries of the kernel\'s neighbor and forwarding tables'
  }
}
