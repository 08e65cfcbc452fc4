/** What a case says, by the manner in which it is measured; a module of the manner's name does it. */
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

export interface PaceCase extends Common {
  readonly manner: 'pace'
  readonly contenders: readonly Contender[]
  /** Questions a second; the targets are enough for nobody to be asked for again within a quarter of a second. */
  readonly rate: number
  readonly asked: Asked
  readonly seconds: number
  /**
   * Rounds for each of the plan's. What it costs to be woken depends on the machine's host, and changes within seconds: short
   * rounds put those that are compared close together.
   */
  readonly turns: number
}

export interface ScanCase extends Common {
  readonly manner: 'scan'
  readonly contenders: readonly Contender[]
  readonly rate: number
  readonly asked: Asked
  /** Random addresses a second. */
  readonly scan: number
  /** Of the scan, of the same load without it, and of rest afterwards. */
  readonly seconds: number
  readonly calm: number
  readonly after: number
}

export interface MemoryCase extends Common {
  readonly manner: 'memory'
  readonly contenders: readonly Contender[]
  /** Of the load, and its length in seconds. */
  readonly asked: Asked
  readonly seconds: number
}

export interface StartCase extends Common {
  readonly manner: 'start'
  readonly contenders: readonly Contender[]
  readonly asked: Asked
  /** In a round. */
  readonly starts: number
}

export interface RouteTableCase extends Common {
  readonly manner: 'route-table'
  readonly contenders: readonly Contender[]
  readonly asked: Asked
  readonly routes: number
  /** Seconds to come to rest in, Node's own late collections included, then those that are measured. */
  readonly rest: number
  readonly idle: number
  /** Routes that come and go after that. */
  readonly churn: number
}

export interface RouteBurstCase extends Common {
  readonly manner: 'route-burst'
  readonly contenders: readonly Contender[]
  /** Known all the time. */
  readonly asked: Asked
  /** Come and go. */
  readonly hosts: number
}

export type Case = MemoryCase | PaceCase | RouteBurstCase | RouteTableCase | ScanCase | StartCase | ThroughputCase
