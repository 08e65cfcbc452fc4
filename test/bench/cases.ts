/**
 * What the bench measures, as data: who takes part in each case, how they are told what to do, under what load, and what
 * the figures are held against. How it is measured is the `manner`: see `manners.ts`.
 */
import { AUTO, burst, everybody, IFACE, learning, NPD6, pinned, RULE_WIDTH, rules, STATIC } from './configs.ts'
import type { Case, ThroughputCase, ThroughputContender } from './manners.ts'
import type { Bar } from './report.ts'
import type { Contender } from './responders.ts'

/** Probes a second for addresses that nobody is known to have: `probe-limit` in 10 s, and that of 4 s at once (README). */
export const PROBE_BUDGET = 500 * (10 + 4) / 10
/** MiB: memory under load beyond that at rest, and what counts as back to normal. */
const GROWTH = 20
const NORMAL = 5
/** Percent of a CPU: what counts as nothing, and as nothing noticeable. */
const IDLE = 0.1
const UNNOTICED = 1

/** How large the cases are. */
export interface Scale {
  readonly known: number
  readonly many: number
  /** As many as ndppd, whose lists are linear, can be asked to have. */
  readonly manyForNdppd: number
  /** Seconds of a measurement at a steady rate, and how many of them a round has. */
  readonly pace: number
  readonly turns: number
  /** Seconds: of a scan, and of the rest after it. */
  readonly scan: number
  readonly after: number
  /** Seconds of load. */
  readonly load: number
  /** Starts in a round, and hosts that are pinned then. */
  readonly starts: number
  /** Routes of others, seconds to rest and without any change, and routes that change. */
  readonly routes: number
  readonly rest: number
  readonly idle: number
  readonly churn: number
  /** Host routes that come and go. */
  readonly burst: number
}

export const FULL: Scale = { known: 1000, many: 100_000, manyForNdppd: 1000, pace: 1, turns: 5, scan: 10, after: 10, load: 10,
  starts: 3, routes: 218_000, rest: 20, idle: 5, churn: 10_000, burst: 10_000 }
export const QUICK: Scale = { known: 50, many: 300, manyForNdppd: 100, pace: 0.2, turns: 1, scan: 0.2, after: 0.1, load: 0.2,
  starts: 1, routes: 300, rest: 0.1, idle: 0.2, churn: 100, burst: 200 }

/** Questions a second at a steady rate, and for how many targets; random addresses a second. */
const PACE = 1000
const PACED = 256
const SCAN_RATE = 200_000

const BARE: Contender = { name: 'bare Node', program: 'node', config: () => '' }

/** Targets that are asked for where there are very many: spread over all of them. */
const SAMPLE = 1024

function fixedPrefix(outstanding: number, bars: readonly Bar[]): ThroughputCase {
  const targets = Math.max(64, outstanding)
  return { name: `static-${outstanding}`, title: `static /64, ${targets} targets, ${outstanding} outstanding`,
    manner: 'throughput', outstanding, asked: { targets, first: 0, stride: 1 }, contenders: everybody(targets), bars }
}

const FASTER: readonly Bar[] = [
  { figure: 'rate', of: 'ndp6d', over: { of: 'kernel' }, atLeast: 1.2 },
  { figure: 'rate', of: 'ndp6d', over: { of: 'npd6' }, atLeast: 2 },
  { figure: 'rate', of: 'ndp6d', over: { of: 'ndppd' }, atLeast: 4 },
]

/** One thing known, and many: the same speed, and little memory for each of them. */
function size(name: string, title: string, contenders: readonly ThroughputContender[]): ThroughputCase {
  const [one, all] = contenders
  return { name, title: `${title}, 64 outstanding`, manner: 'throughput', outstanding: 64,
    asked: { targets: 1, first: 0, stride: 1 }, contenders, bars: [
      { figure: 'rate', of: all.name, over: { of: one.name }, atLeast: 0.9 },
      { figure: 'bytes', of: all.name, atMost: 200 },
    ] }
}

/** Addresses of one thing; of a rule, the first one is anycast, for which nobody answers. */
const WIDTH = { rules: RULE_WIDTH, hosts: 1 } as const

/** A contender that knows `count` things, of which a sample is asked for. */
function sized(
  program: 'ndp6d' | 'ndppd', thing: keyof typeof WIDTH, count: number, config: () => string): ThroughputContender {
  const targets = Math.min(count, SAMPLE)
  const width = WIDTH[thing]
  const asked = { targets, first: width - 1, stride: width * Math.floor(count / targets) }
  return { name: `${program}, ${count} ${thing}`, program, config, asked,
    ...count > 1 && { weighed: { beyond: `${program}, 1 ${thing}`, count: count - 1 } } }
}

export function cases(scale: Scale): readonly Case[] {
  const { known, many, manyForNdppd, pace, turns, scan, after, load, starts, routes, rest, idle, churn, burst: hosts } = scale
  const learned = (hosts: number) => ({ hosts, are: 'learned' }) as const
  return [
    fixedPrefix(1, [
      { figure: 'p50', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 0.75 },
      { figure: 'p50', of: 'ndp6d', over: { of: 'npd6' }, atMost: 0.9 },
      { figure: 'p99', of: 'ndp6d', over: { of: 'npd6' }, atMost: 1 },
    ]),
    fixedPrefix(64, FASTER),
    fixedPrefix(256, FASTER),
    { name: 'subnet', title: `subnet with ${known} known hosts beside a static /64, 64 outstanding`, manner: 'throughput',
      outstanding: 64, asked: { targets: known, first: 0, stride: 1 }, contenders: [
        { name: 'static', program: 'ndp6d', config: () => STATIC },
        { name: 'learned', program: 'ndp6d', config: () => learning(known), inside: learned(known) },
        { name: 'pinned', program: 'ndp6d', config: () => pinned(known) },
        { name: 'ndppd iface', program: 'ndppd', config: () => IFACE, inside: { hosts: known, are: 'silent' } },
      ], bars: [
        { figure: 'rate', of: 'learned', over: { of: 'static' }, atLeast: 0.9 },
        { figure: 'rate', of: 'pinned', over: { of: 'static' }, atLeast: 0.9 },
        { figure: 'rate', of: 'learned', over: { of: 'ndppd iface' }, atLeast: 4 },
      ] },
    size('rules', `1 rule and ${many}`, [
      sized('ndp6d', 'rules', 1, () => rules(1)),
      sized('ndp6d', 'rules', many, () => rules(many)),
      sized('ndppd', 'rules', 1, () => rules(1)),
      sized('ndppd', 'rules', manyForNdppd, () => rules(manyForNdppd)),
    ]),
    size('pinned', `1 pinned host and ${many}`, [
      sized('ndp6d', 'hosts', 1, () => pinned(1)),
      sized('ndp6d', 'hosts', many, () => pinned(many)),
    ]),
    size('learned', `1 learned host and ${many}, each with a link-layer address of its own`, [
      { ...sized('ndp6d', 'hosts', 1, () => learning(many)), inside: learned(1) },
      { ...sized('ndp6d', 'hosts', many, () => learning(many)), inside: learned(many) },
    ]),
    { name: 'scan', manner: 'scan',
      title: `random addresses of the /64, ${SCAN_RATE}/s for ${scan} s, beside ${PACE} questions/s for known hosts`,
      rate: PACE, asked: { targets: PACED, first: 0, stride: 1 }, scan: SCAN_RATE, seconds: scan,
      calm: Math.min(3, scan), after, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => learning(1000), inside: learned(PACED) },
        { name: 'ndppd', program: 'ndppd', config: () => IFACE, inside: { hosts: PACED, are: 'silent' } },
      ], bars: [
        { figure: 'answered', of: 'ndp6d', atLeast: 99.9 },
        { figure: 'p99', of: 'ndp6d', over: { of: 'ndp6d', figure: 'calmP99' }, atMost: 3 },
        { figure: 'probes', of: 'ndp6d', atMost: PROBE_BUDGET },
        { figure: 'grown', of: 'ndp6d', atMost: GROWTH },
        { figure: 'kept', of: 'ndp6d', atMost: NORMAL },
      ] },
    { name: 'pace', title: `static /64, ${PACE} questions/s`, manner: 'pace', rate: PACE,
      asked: { targets: PACED, first: 0, stride: 1 }, seconds: pace, turns, contenders: everybody(PACED), bars: [
        { figure: 'cpu', of: 'ndp6d', over: { of: 'ndppd' }, atMost: 1 },
      ] },
    { name: 'memory', title: `resident memory at rest, and under ${load} s of load at full speed`, manner: 'memory',
      asked: { targets: 64, first: 0, stride: 1 }, seconds: load, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => STATIC },
        BARE,
        { name: 'ndppd', program: 'ndppd', config: () => STATIC },
        { name: 'npd6', program: 'npd6', config: () => NPD6 },
      ], bars: [
        { figure: 'memory', of: 'ndp6d', over: { of: BARE.name }, atMost: 1.3 },
        { figure: 'grown', of: 'ndp6d', atMost: GROWTH },
      ] },
    { name: 'start', title: `start to first answer with ${known} pinned hosts; a bare Node to its end`, manner: 'start',
      asked: { targets: Math.min(known, PACED), first: 0, stride: 1 }, starts, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => pinned(known) },
        BARE,
        { name: 'ndppd, static', program: 'ndppd', config: () => STATIC },
      ], bars: [
        { figure: 'start', of: 'ndp6d', over: { of: BARE.name }, atMost: 3 },
      ] },
    { name: 'route-table', title: `a routing table of ${routes} routes of others, ${churn} of which come and go`,
      manner: 'route-table', asked: { targets: 1, first: 0, stride: 1 }, routes, rest, idle, churn, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => AUTO, inside: { hosts: PACED, are: 'silent' } },
        { name: 'ndppd', program: 'ndppd', config: () => AUTO, inside: { hosts: PACED, are: 'silent' } },
      ], bars: [
        { figure: 'start', of: 'ndp6d', atMost: 2000 },
        { figure: 'cpu', of: 'ndp6d', atMost: IDLE },
        { figure: 'churn', of: 'ndp6d', atMost: UNNOTICED },
      ] },
    { name: 'route-burst', title: `${hosts} host routes come and go`, manner: 'route-burst',
      asked: { targets: PACED, first: 0, stride: 1 }, hosts, contenders: [
        { name: 'ndp6d', program: 'ndp6d', config: () => burst(PACED, 0) },
      ], bars: [
        ...(['adding', 'deleting'] as const).map((figure) =>
          ({ figure, of: 'ndp6d', over: { of: 'ip -batch' }, atMost: 1.5 })),
        { figure: 'returning', of: 'ndp6d', over: { of: 'ip -batch', figure: 'adding' }, atMost: 1.5 },
        { figure: 'answered', of: 'ndp6d', atLeast: 99.9 },
        { figure: 'missed', of: 'ndp6d', atMost: 0 },
      ] },
  ]
}
