/** Parts of the engine that keep a record with a deadline for each of some links. */
import { Deadlines, type Timed } from '../tables/deadlines.ts'
import type { Instant } from '../types.ts'
import { Part } from './context.ts'

export abstract class TimedPart<Parts, Record extends Timed> extends Part<Parts> {
  /** By ifindex. */
  protected readonly records = new Map<number, Record>()
  protected readonly deadlines = new Deadlines<Record>()

  get deadline(): Instant | undefined { return this.deadlines.next }

  wake(now: Instant): void {
    for (let due = this.deadlines.due(now); due !== undefined; due = this.deadlines.due(now)) this.due(due, now)
  }

  /** Forgets a link that was removed. */
  gone(ifindex: number): void {
    this.deadlines.remove(this.records.get(ifindex))
    this.records.delete(ifindex)
  }

  /** Handles a record whose deadline has come. The record has no deadline until one is set again. */
  protected abstract due(record: Record, now: Instant): void
}
