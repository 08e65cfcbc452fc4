/** The cases of the bench as data: contenders, loads and bars. A module for each kind of measurement says how it is done. */
import { AUTO, burst, everyProgram, IFACE, learning, NPD6, pinned, ROUTE, RULE_WIDTH, rules, STATIC, THIRD_LINK } from './configs.ts'
import { privateMemory } from './private-memory.ts'
import type { Bar } from './report.ts'
import type { Contender } from './responder.ts'
import { routeBurst } from './route-burst.ts'
import { routeTable } from './route-table.ts'
import { scan } from './scan.ts'
import { sleeping } from './sleeping.ts'
import type { Targets } from './solicitor.ts'
import { start } from './start.ts'
import { steady } from './steady.ts'
import type { Case } from './testbed.ts'
import { PROBED, throughput, type ThroughputContender } from './throughput.ts'

/** How large the cases are. Durations are seconds, of one measurement. */
export const FULL = {
  known: 1000,
  /** As many as a status of the control socket's bars. */
  unread: 4096,
  many: 100_000,
  /** As many rules as ndppd, which searches a list, can reasonably have. */
  manyForNdppd: 1000,
  sleeping: { duration: 1.5, turns: 3 },
  steady: { duration: 1, turns: 5 },
  /** Unknown hosts in a round. */
  cold: 300,
  scan: { duration: 10, calm: 3 },
  load: 10,
  /** Starts in a round. */
  starts: 3,
  /** Routes of other programs, rest and idle time before they change, and routes that change. */
  table: { routes: 218_000, rest: 20, idle: 5, churn: 10_000 },
  /** Host routes that come and go. */
  burst: 10_000,
}
export type Scale = typeof FULL
export const QUICK: Scale = { known: 50, unread: 64, many: 300, manyForNdppd: 100, sleeping: { duration: 0.1, turns: 1 },
  steady: { duration: 0.2, turns: 1 }, cold: 10, scan: { duration: 0.2, calm: 0.2 }, load: 0.2, starts: 1,
  table: { routes: 300, rest: 0.1, idle: 0.2, churn: 100 }, burst: 200 }

/** Solicitations a second at a steady rate, and for hosts that are unknown; random addresses a second of a scan. */
const RATE = 1000
const COLD_RATE = 50
const SCAN_RATE = 200_000

const SOME = first(256)
/** Few entries, and the targets solicited where there are very many, spread over all of them. */
const FEW = 64
const SAMPLE = 1024
const BARE: Contender = { name: 'bare Node', program: 'node', config: () => '' }

function first(targets: number): Targets { return { targets, first: 0, stride: 1 } }

function fixedPrefix(outstanding: number): Case {
  const over = (of: string, atLeast: number): Bar => ({ figure: 'rate', of: 'ndp6d', over: { of }, atLeast })
  const targets = Math.max(64, outstanding)
  return throughput({ name: `static-${outstanding}`, title: `static /64, ${targets} targets, ${outstanding} outstanding`,
    outstanding, solicited: first(targets), contenders: everyProgram(targets),
    bars: [over('kernel', 1.2), over('npd6', 1.8), over('ndppd', 4)] })
}

/** Serving metrics costs nothing where nothing is scraped: the counters are the same. */
const WITH_METRICS = throughput({ name: 'metrics', title: 'static /64, with and without `metrics`, 64 outstanding', outstanding: 64,
  solicited: first(64), contenders: [{ name: 'ndp6d', program: 'ndp6d', config: () => STATIC },
    { name: 'ndp6d, metrics', program: 'ndp6d', config: () => `metrics 9436\n${STATIC}` }],
  bars: [{ figure: 'rate', of: 'ndp6d, metrics', over: { of: 'ndp6d' }, atLeast: 0.97 }] })

/** Clients that read no reply cost at most the share of replies, and nothing once their socket is full. */
function unread(hosts: number): Case {
  const contender: ThroughputContender = { name: 'ndp6d', program: 'ndp6d', config: () => pinned(hosts) }
  const abused = ([[50, 'status', { command: 'status', all: true }], [1, 'monitor', { command: 'monitor' }]] as const).map(([clients, name, request]) =>
    ({ ...contender, name: `ndp6d, unread ${name}`, unread: { clients, request } }))
  return throughput({ name: 'control', title: `${hosts} pinned hosts, 64 outstanding, 50 requests for the status or one monitor that nobody reads`, outstanding: 64,
    solicited: first(64), contenders: [contender, ...abused],
    bars: abused.map(({ name: of }) => ({ figure: 'rate', of, over: { of: contender.name }, atLeast: 0.9 })) })
}

/** Few entries and many: about the same speed, little memory for each entry, and no long pause. */
function sized(name: string, title: string, contenders: readonly ThroughputContender[]): Case {
  const [few, all] = contenders
  return throughput({ name, title: `${title}, 64 outstanding`, outstanding: FEW, solicited: first(FEW), contenders, bars: [
    { figure: 'rate', of: all.name, over: { of: few.name }, atLeast: 0.9 },
    { figure: 'bytes', of: all.name, atMost: 500 },
    { figure: 'pause', of: all.name, atMost: 20 },
  ] })
}

/** Addresses of one entry. The last one is solicited. */
const WIDTH = { rules: RULE_WIDTH, hosts: 1 } as const

/** A contender with `count` entries, of which a sample is solicited. */
function holding(
  program: 'ndp6d' | 'ndppd', entry: keyof typeof WIDTH, count: number, config: () => string): ThroughputContender {
  const targets = Math.min(count, SAMPLE)
  const width = WIDTH[entry]
  return { name: `${program}, ${count} ${entry}`, program, config,
    solicited: { targets, first: width - 1, stride: width * Math.floor(count / targets) },
    ...program === 'ndp6d' && { flags: PROBED },
    ...count > FEW && { weighed: { beyond: `${program}, ${FEW} ${entry}`, count: count - FEW } } }
}

export function cases(scale: Scale): readonly Case[] {
  const { known, many, manyForNdppd, cold, table, burst: hosts } = scale
  const learned = (hosts: number) => ({ hosts, are: 'learned' }) as const
  const silent = (hosts: number) => ({ hosts, are: 'silent' }) as const
  return [
    sleeping({ name: 'static-1', title: 'static /64, 64 targets, 1 outstanding, the solicitor sleeps until the answer is there',
      solicited: first(64), ...scale.sleeping, contenders: everyProgram(64), bars: [
        { figure: 'p50', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 0.95 },
        { figure: 'p50', of: 'ndp6d', over: { of: 'npd6' }, atMost: 1.1 },
        { figure: 'p99', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 1 },
      ] }),
    fixedPrefix(64),
    fixedPrefix(256),
    WITH_METRICS,
    unread(scale.unread),
    throughput({ name: 'subnet', title: `subnet with ${known} known hosts beside a static /64, 64 outstanding`,
      outstanding: 64, solicited: first(known), contenders: [
        { name: 'static', program: 'ndp6d', config: () => STATIC },
        { name: 'learned', program: 'ndp6d', config: () => learning(known), inside: learned(known) },
        { name: 'pinned', program: 'ndp6d', config: () => pinned(known) },
        { name: 'ndppd iface', program: 'ndppd', config: () => IFACE, inside: silent(known) },
      ], bars: [
        { figure: 'rate', of: 'learned', over: { of: 'static' }, atLeast: 0.9 },
        { figure: 'rate', of: 'pinned', over: { of: 'static' }, atLeast: 0.9 },
      ] }),
    sleeping({ name: 'cold', title: `first solicitation for each of ${cold} unknown hosts, ${COLD_RATE}/s`,
      solicited: first(cold), coldRate: COLD_RATE, duration: cold / COLD_RATE, turns: 1, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => learning(many), inside: silent(many) },
        { name: 'ndppd', program: 'ndppd', config: () => IFACE, inside: silent(many), setup: ROUTE },
      ], bars: [{ figure: 'p50', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 1.5 }, { figure: 'p99', of: 'ndp6d', atMost: 3000 }] }),
    sized('rules', `${FEW} rules and ${many}`, [
      holding('ndp6d', 'rules', FEW, () => rules(FEW)),
      holding('ndp6d', 'rules', many, () => rules(many)),
      holding('ndppd', 'rules', FEW, () => rules(FEW)),
      holding('ndppd', 'rules', manyForNdppd, () => rules(manyForNdppd)),
    ]),
    sized('pinned', `${FEW} pinned hosts and ${many}`, [
      holding('ndp6d', 'hosts', FEW, () => pinned(FEW)),
      holding('ndp6d', 'hosts', many, () => pinned(many)),
    ]),
    sized('learned', `${FEW} learned hosts and ${many}, each with a link-layer address of its own`, [
      { ...holding('ndp6d', 'hosts', FEW, () => learning(many)), inside: learned(FEW) },
      { ...holding('ndp6d', 'hosts', many, () => learning(many)), inside: learned(many) },
    ]),
    scan({ name: 'scan', title: `random addresses of the /64, ${SCAN_RATE}/s for ${scale.scan.duration} s, beside ${RATE}/s for known hosts`,
      rate: RATE, solicited: SOME, scan: SCAN_RATE, ...scale.scan, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => learning(1000), inside: learned(SOME.targets) },
        { name: 'ndppd', program: 'ndppd', config: () => IFACE, inside: silent(SOME.targets) },
      ], bars: [{ figure: 'answered', of: 'ndp6d', atLeast: 99.9 }, { figure: 'p99', of: 'ndp6d', atMost: 20_000 }] }),
    steady({ name: 'steady', title: `static /64, ${RATE} solicitations/s`, rate: RATE, solicited: SOME, ...scale.steady,
      contenders: everyProgram(SOME.targets), bars: [{ figure: 'cpu', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 1 }] }),
    privateMemory({ name: 'memory', title: `private memory of an idle program, and what ${scale.load} s at full speed add`,
      solicited: first(64), duration: scale.load, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => STATIC },
        BARE,
        { name: 'ndppd', program: 'ndppd', config: () => STATIC },
        { name: 'npd6', program: 'npd6', config: () => NPD6 },
      ], bars: [{ figure: 'memory', of: 'ndp6d', over: { of: BARE.name }, atMost: 1.3 }, { figure: 'grown', of: 'ndp6d', atMost: 20 }] }),
    start({ name: 'start', title: `start to the first answer with ${known} pinned hosts; a bare Node to its end`,
      solicited: first(Math.min(known, SOME.targets)), starts: scale.starts, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => pinned(known) },
        BARE,
        { name: 'ndppd, static', program: 'ndppd', config: () => STATIC },
      ], bars: [{ figure: 'start', of: 'ndp6d', over: { of: BARE.name }, atMost: 3.5 }] }),
    routeTable({ name: 'route-table', title: `a table of ${table.routes} routes of other programs; ${table.churn} more come and go`,
      solicited: first(1), ...table, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => AUTO, inside: silent(1), setup: ROUTE },
      ], bars: [
        { figure: 'start', of: 'ndp6d', atMost: 2000 },
        { figure: 'cpu', of: 'ndp6d', atMost: 0.1 },
        { figure: 'churn', of: 'ndp6d', atMost: 1 },
      ] }),
    routeBurst({ name: 'route-burst', title: `${hosts} host routes come and go`, solicited: SOME, hosts, contenders: [
      { name: 'ndp6d', program: 'ndp6d', config: () => burst(SOME.targets, 0), setup: THIRD_LINK },
    ], bars: [
      ...(['adding', 'deleting'] as const).map((figure) => ({ figure, of: 'ndp6d', over: { of: 'ip -batch' }, atMost: 1.5 })),
      { figure: 'returning', of: 'ndp6d', over: { of: 'ip -batch', figure: 'adding' }, atMost: 1.5 },
      { figure: 'answered', of: 'ndp6d', atLeast: 99.9 },
      { figure: 'missed', of: 'ndp6d', atMost: 0 },
    ] }),
  ]
}
