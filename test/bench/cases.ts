/**
 * What the bench measures, as data: who takes part in each case, how they are told what to do, under what load, and what
 * the figures are held against. How it is measured is the `manner`: a module for each of them.
 */
import { everybody, IFACE, learning, pinned, RULE_WIDTH, rules, STATIC } from './configs.ts'
import type { Bar } from './report.ts'
import type { Contender } from './responders.ts'

interface Common {
  /** For `--case`. */
  readonly name: string
  readonly title: string
  readonly bars: readonly Bar[]
}

/** The targets `first`, `first` + `stride`, ... */
export interface Asked {
  readonly targets: number
  readonly first: number
  readonly stride: number
}

export interface ThroughputContender extends Contender {
  /** If other than the case's. */
  readonly asked?: Asked
  /** It knows `count` things more than the contender `beyond`: how much memory does each of them take? */
  readonly weighed?: { readonly beyond: string; readonly count: number }
}

export interface ThroughputCase extends Common {
  readonly manner: 'throughput'
  readonly contenders: readonly ThroughputContender[]
  readonly outstanding: number
  readonly asked: Asked
}

export type Case = ThroughputCase

/** How large the cases are. */
export interface Scale {
  readonly known: number
  readonly many: number
  /** As many as ndppd, whose lists are linear, can be asked to have. */
  readonly manyForNdppd: number
}

export const FULL: Scale = { known: 1000, many: 100_000, manyForNdppd: 1000 }
export const QUICK: Scale = { known: 50, many: 300, manyForNdppd: 100 }

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
function sized(program: 'ndp6d' | 'ndppd', thing: keyof typeof WIDTH, count: number, config: () => string): ThroughputContender {
  const targets = Math.min(count, SAMPLE)
  const width = WIDTH[thing]
  return { name: `${program}, ${count} ${thing}`, program, config, asked: { targets, first: width - 1, stride: width * Math.floor(count / targets) },
    ...count > 1 && { weighed: { beyond: `${program}, 1 ${thing}`, count: count - 1 } } }
}

export function cases({ known, many, manyForNdppd }: Scale): readonly Case[] {
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
  ]
}
