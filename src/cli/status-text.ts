/** The status as text: what is wrong first, then links, rules, hosts, counters and limits. */
import { countOf } from '../config/diagnostic.ts'
import type { Outcome } from '../events.ts'
import type { LinkStatus } from '../replies/links.ts'
import { LINK_STATES, type LinkState, OUTCOMES } from '../replies/meanings.ts'
import type { HostStatus, Status } from '../replies/status.ts'
import { ago, duration, listed, localTime, wrap } from './format.ts'
import { hexDump } from './hex-dump.ts'
import { table } from './table.ts'

export type Color = 'bold' | 'green' | 'yellow' | 'red'

export interface TextOptions {
  /** Show everything. */
  readonly all?: boolean
  /** Columns of the screen. */
  readonly width?: number
  readonly color?: (color: Color, text: string) => string
  /** Milliseconds since 1970. */
  readonly now?: number
}

/** The most lines of each kind on the first screen, which has at most 60 lines. */
const SHOWN = { findings: 3, links: 5, problems: 2, rules: 2, advertising: 1, routers: 1, hosts: 4, counters: 3, limits: 1 }
/** The first screen shows a limit of which more than this share is used. */
const HIGH = 0.8

type Cell = string | number

export class StatusText {
  readonly #status: Status
  readonly #all: boolean
  readonly #width: number
  readonly #color: (color: Color, text: string) => string
  readonly #now: number

  constructor(status: Status, { all = false, width = Number.POSITIVE_INFINITY, color = (_, text) => text, now = Date.now() }: TextOptions = {}) {
    // Names of interfaces and files may contain control characters, which would disturb the terminal.
    this.#status = JSON.parse(JSON.stringify(status), (_, value) => typeof value === 'string' ? value.replace(/\p{Cc}/gu, '?') : value)
    this.#all = all
    this.#width = width
    this.#color = color
    this.#now = now
  }

  /** The first screen. */
  get overview(): string {
    const parts = [this.#head(), this.#findings(), this.#links(), this.#rules() + this.#advertising(), this.#facts(), this.#hosts(SHOWN.hosts), this.#counters(),
      this.#limits(!this.#all)]
    return parts.filter((part) => part !== '').join('\n')
  }

  get hosts(): string { return this.#hosts(Number.POSITIVE_INFINITY) }

  /** Reasons why packets got no answer, each with its last packet, and then the bytes of the last packets that are invalid. */
  get drops(): string { return this.dropsWithoutBytes + this.#frames() }

  get dropsWithoutBytes(): string {
    const { counters, lastPackets } = this.#status
    const rows = (Object.keys(OUTCOMES) as Outcome[]).filter((outcome) => OUTCOMES[outcome][0] !== 'good' && (this.#all || counters[outcome] > 0))
      .map((outcome) => {
        const last = lastPackets[outcome]
        return [outcome, counters[outcome] ?? '-', OUTCOMES[outcome][1], last === undefined ? '-' : ago(last.at, this.#now), last?.link ?? '-',
          last?.lladdr ?? '-', last?.target ?? '-']
      })
    return rows.length === 0 ? 'No packet was dropped or left unanswered.\n'
      : this.#table(['REASON', 'PACKETS', 'MEANING', 'LAST', 'LINK', 'FROM', 'TARGET'], rows)
  }

  get limits(): string { return this.#limits(false) }

  #frames(): string {
    const { lastPackets } = this.#status
    return (Object.keys(OUTCOMES) as Outcome[]).map((outcome) => {
      // A daemon of an earlier version sends no frame.
      const frame = lastPackets[outcome]?.frame ?? null
      if (frame === null) return ''
      const { hex, length, wrongAt } = frame
      const place = wrongAt === null ? '' : wrongAt < length ? `, wrong at byte ${wrongAt}` : `, byte ${wrongAt} is missing`
      const shown = hex.length / 2 < length ? `, ${hex.length / 2} shown` : ''
      return `\n${this.#color('bold', `last ${outcome} packet`)}: ${length} bytes${shown}${place}\n${
        hexDump(hex, wrongAt, (byte) => this.#color('red', byte))}`
    }).join('')
  }

  #head(): string {
    const { version, pid, startedAt, state } = this.#status
    const seconds = Math.max(0, this.#now - Date.parse(startedAt)) / 1000
    return `ndp6d ${version} is ${this.#color(state === 'serving' ? 'green' : 'yellow', state)}: process ${pid}, running for ${
      duration(seconds)}\n`
  }

  #findings(): string {
    const { findings } = this.#status
    if (findings === null || findings.length === 0) return ''
    const shown = this.#first(findings, SHOWN.findings)
    const lines = shown.map(({ severity, code, what, mend }) => {
      const word = severity.padEnd(8)
      const text = wrap(`${word} ${what} [${code}]`, this.#width, 9)
      return `${this.#color(severity === 'error' ? 'red' : 'yellow', word)}${text.slice(word.length)}\n${' '.repeat(9)}${mend}\n`
    })
    return `${this.#color('bold', `${countOf(findings.length, 'finding')} (ndp6d doctor)`)}\n${lines.join('')}`
  }

  #links(): string {
    const { links } = this.#status
    const shown = this.#first([...links].sort((a, b) => Number(b.state !== 'serving') - Number(a.state !== 'serving')), SHOWN.links)
    const number = (count: number | null): Cell => count ?? '-'
    const rows = links.filter((link) => shown.includes(link)).map(({ name, roles, state, received, lost, sent, unsent }) =>
      [name, roles.length > 1 ? 'both' : roles[0], state, number(received), number(lost), number(sent), number(unsent)])
    const color = (row: number): Color => COLORS[shown.length === 0 ? 'serving' : rows[row][2] as LinkState]
    return this.#table(['LINK', 'ROLE', 'STATE', 'RECEIVED', 'LOST', 'SENT', 'UNSENT'], rows, 3, (text, row, column) =>
      column === 2 ? this.#color(color(row), text) : text) + this.#more(links.length - shown.length, 'ndp6d status --all') + this.#linkProblems()
  }

  /** One sentence for each problem, with the links that have it. */
  #linkProblems(): string {
    const { links } = this.#status
    const byProblem = new Map<string, LinkStatus[]>()
    const order: readonly LinkState[] = ['failed', 'port', 'waiting', 'pending']
    const affected = links.filter(({ state }) => order.includes(state)).sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state))
    for (const link of affected) {
      const problem = link.reason ?? LINK_STATES[link.state]
      byProblem.set(problem, [...byProblem.get(problem) ?? [], link])
    }
    const lines = [...byProblem].map(([problem, group]) =>
      `${wrap(`${listed(group.map(({ name }) => name), this.#width - problem.length - 2)}: ${problem}`, this.#width, 2)}\n`)
    return this.#first(lines, SHOWN.problems).join('')
  }

  #rules(): string {
    const { subnets, proxies } = this.#status
    const lines = subnets.map(({ prefix, prefixes, upstream, downstream, hosts, exclude }) => {
      const present = prefix !== 'auto' ? '' : prefixes.length === 0 ? ' (no prefix yet)' : ` (${listed(prefixes, 24)})`
      const more = [...hosts > 0 ? [`${countOf(hosts, 'host')} pinned`] : [], ...exclude.length > 0 ? [`${exclude.length} excluded`] : []].join(', ')
      const start = `subnet ${prefix}${present}: ${upstream} to `
      return `${start}${listed(downstream, this.#width - start.length - more.length - 3)}${more === '' ? '' : ` (${more})`}`
    })
    for (const { link, rules } of proxies) {
      const texts = rules.map(({ prefix, kind, links }) => `${prefix} ${kind === 'iface' ? `to ${links.join(' ')}` : kind}`)
      if (this.#all) lines.push(`proxy ${link}:`, ...texts.map((text) => `  ${text}`))
      else lines.push(`proxy ${link}: ${texts.length === 0 ? 'no rules' : listed(texts, this.#width - link.length - 8)}`)
    }
    const shown = this.#first(lines, SHOWN.rules)
    return shown.map((line) => `${wrap(line, this.#width, 2)}\n`).join('') + this.#more(lines.length - shown.length, 'ndp6d status --all')
  }

  /** What Router Advertisements offer, and other routers beside this machine. */
  #advertising(): string {
    const { advertising, forwarding, links } = this.#status
    const cause = forwarding.isOn === false ? ' (this machine does not forward: write `forwarding yes`)'
      : forwarding.isOn === true ? ' (this machine has none: see `ip -6 route show default`, or write `default-route always`)' : ''
    const shown = this.#first(advertising, SHOWN.advertising)
    const most = this.#all ? Number.POSITIVE_INFINITY : 40
    const lines = shown.flatMap(({ link, source, lastAt, routerLifetime, mtu, prefixes, servers, domains, otherRouters }) => {
      const offered = prefixes.map(({ prefix, autonomous, valid, preferred }) =>
        `${prefix} (${preferred === 0 ? 'deprecated, ' : ''}${duration(valid)}${autonomous ? '' : ', no addresses by SLAAC'})`)
      const parts = [listed(offered.length === 0 ? ['no prefix yet'] : offered, most),
        routerLifetime === 0 ? `${this.#color('red', 'NO default route')}${cause}` : `default route (${duration(routerLifetime)})`,
        ...mtu === null ? [] : [`MTU ${mtu}`], ...servers.length === 0 ? [] : [`DNS ${listed(servers, most)}`],
        ...this.#all && domains.length > 0 ? [`search ${domains.join(', ')}`] : []]
      const routers = this.#first(otherRouters, SHOWN.routers).map(({ address, mac, forged, lastAt: at }) =>
        `${this.#color('yellow', 'another router')}: ${address}${mac === null ? '' : ` (${mac})`}${forged ? ', forged' : ''}, ${
          ago(at, this.#now)} ago`)
      const state = links.find(({ name }) => name === link)?.state ?? 'serving'
      const sentence = state !== 'serving' ? `not advertised on ${link} (${state}: ${LINK_STATES[state]})`
        : source === null ? `not advertised on ${link}: it has no usable link-local address`
        : lastAt === null ? `not advertised on ${link} yet` : `advertised on ${link}: ${parts.join(', ')}`
      return [wrap(sentence, this.#width, 2), ...routers.map((text) => `  ${wrap(text, this.#width - 2, 4)}`)]
    })
    return lines.map((line) => `${line}\n`).join('') + this.#more(advertising.length - shown.length, 'ndp6d status --all')
  }

  /** Forwarding, configuration and the last reload. */
  #facts(): string {
    const { forwarding: { isOn, isKept }, config: { file, appliedAt }, reload } = this.#status
    const forwarding = isOn === null ? 'unknown: its setting cannot be read'
      : isOn ? `on${isKept ? ', and kept on by `forwarding yes`' : ''}` : `${this.#color('red', 'OFF')}: packets for hosts are dropped here`
    const lines = [`forwarding: ${forwarding}`, `configuration: ${file}, applied ${localTime(appliedAt)}`]
    const { at, verdict, problem, changedOnDisk, undoAt } = reload
    if (at !== null && verdict === 'refused') {
      lines.push(`last reload: ${this.#color('red', 'refused')} ${localTime(at)}, the running configuration stays:`,
        `  ${wrap(problem ?? 'the file cannot be read', this.#width - 2, 2)}`)
    } else if (at !== null && verdict !== null) lines.push(`last reload: ${verdict} ${localTime(at)}`)
    if (undoAt !== null) lines.push(`${this.#color('red', 'on trial')} until ${localTime(undoAt)}: ndp6d reload --confirm`)
    else if (changedOnDisk === true) lines.push(`${this.#color('red', 'the file differs')} from the running configuration: ndp6d reload`)
    return lines.map((line) => `${line}\n`).join('')
  }

  #hosts(limit: number): string {
    const { hosts, unknown: { failed, probing } } = this.#status
    const owned = hosts.filter(isOwned)
    const pinned = owned.filter((host) => host.pinned).length
    const routes = owned.filter(({ route }) => route).length
    const shown = this.#first(this.#all ? hosts : owned, limit)
    const unknown = failed + probing === 0 ? '' : `unknown targets: ${failed} FAILED, ${probing} being probed\n`
    const rows = shown.map(({ address, link, state, mac, via, route, since, ...host }) =>
      [address, link ?? '-', state, proofOf(host, this.#now), since === null ? '-' : ago(since, this.#now), route ? 'yes' : '-', mac ?? '-', via ?? '-'])
    const hasVia = shown.some(({ via }) => via !== null)
    const color = (row: number): Color => rows[row][2] === 'FAILED' ? 'red' : rows[row][2] === 'REACHABLE' ? 'green' : 'yellow'
    return `${countOf(owned.length, 'host')}, ${pinned} pinned, ${countOf(routes, 'host route')}\n${unknown}` + (rows.length === 0 ? ''
      : this.#table(['ADDRESS', 'LINK', 'STATE', 'PROOF', 'AGE', 'ROUTE', 'MAC', ...hasVia ? ['VIA'] : []], rows.map((row) => row.slice(0, hasVia ? 8 : 7)),
        8, (text, row, column) => column === 2 ? this.#color(color(row), text) : text))
      + this.#more((this.#all ? hosts : owned).length - shown.length, 'ndp6d status hosts')
  }

  #counters(): string {
    const { counters } = this.#status
    const words = Object.keys(OUTCOMES) as Outcome[]
    const sum = (part: readonly Outcome[]): number => part.reduce((total, outcome) => total + (counters[outcome] ?? 0), 0)
    const invalid = words.filter((outcome) => OUTCOMES[outcome][0] === 'invalid')
    const single = this.#all ? words : words.filter((outcome) => OUTCOMES[outcome][0] !== 'invalid' && counters[outcome] > 0)
    const most = this.#first([...single].sort((a, b) => counters[b] - counters[a]), SHOWN.counters)
    const others = sum(single) - sum(most)
    const rows: Cell[][] = words.filter((outcome) => most.includes(outcome)).map((outcome) => [outcome, counters[outcome] ?? '-', OUTCOMES[outcome][1]])
    if (others > 0) rows.push(['other', others, 'listed by `ndp6d status --all`'])
    if (!this.#all && sum(invalid) > 0) rows.push(['invalid', sum(invalid), 'listed by `ndp6d status drops`'])
    return rows.length === 0 ? 'no packets received yet\n' : this.#table(['OUTCOME', 'PACKETS', 'MEANING'], rows)
  }

  #limits(isHighOnly: boolean): string {
    const limits = this.#status.limits.filter(({ used, size }) => !isHighOnly || used > HIGH * size)
    const shown = isHighOnly ? limits.slice(0, SHOWN.limits) : limits
    if (limits.length === 0) return ''
    const rows = shown.map(({ name, used, size }) => [name, Math.ceil(used), size])
    return this.#table(['LIMIT', 'USED', 'MAX'], rows, 1) + this.#more(limits.length - shown.length, 'ndp6d status limits')
  }

  #table(head: readonly string[], rows: readonly (readonly Cell[])[], left = 0, paint = (text: string, _row: number, _column: number): string => text): string {
    // Numbers are aligned to the right, even between columns of text.
    const text = [head, ...rows.map((row) => row.map(String))]
    const isNumber = head.map((_, column) => column >= left && rows.some((row) => typeof row[column] === 'number'))
    const aligned = text.map((row) => row.map((cell, column) => isNumber[column]
      ? cell.padStart(text.reduce((most, other) => Math.max(most, other[column].length), 0)) : cell))
    return table(aligned, { left: head.length, width: this.#width,
      paint: (cell, row, column) => row === 0 ? this.#color('bold', cell) : paint(cell, row - 1, column) })
  }

  #first<T>(items: readonly T[], most: number): readonly T[] { return this.#all ? items : items.slice(0, most) }
  #more(count: number, command: string): string { return count > 0 ? `${count} more: ${command}\n` : '' }
}

const COLORS: Readonly<Record<LinkState, Color>> = { serving: 'green', down: 'yellow', waiting: 'yellow', pending: 'yellow', port: 'red', failed: 'red' }

function isOwned({ state }: HostStatus): boolean { return state === 'REACHABLE' || state === 'PROBE' }

function proofOf({ proof, provedAt, pinned }: Pick<HostStatus, 'proof' | 'provedAt' | 'pinned'>, now: number): string {
  if (pinned) return 'pinned'
  if (proof === null) return provedAt === null ? '-' : `lost ${ago(provedAt, now)}`
  return `${proof} ${provedAt === null ? '' : ago(provedAt, now)}`.trim()
}
