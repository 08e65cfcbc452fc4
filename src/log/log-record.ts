/** A record as pino writes it, in JSON: a sentence and fields, `event`, `target`, `lladdr`, `iface`, `reason` and others. */
export interface LogRecord {
  /** As in pino: 30 is info. */
  readonly level: number
  /** Milliseconds since 1970. */
  readonly time: number
  readonly msg: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** @param value the value of a field. An error is an object with its stack, as pino writes it. */
export function toText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value)
  return 'stack' in value ? String(value.stack) : JSON.stringify(value)
}
