import type { Subnet } from '../../../src/config/config.ts'
import { parseConfig } from '../../../src/config/load.ts'

/** Parses a subnet with upstream eth0, downstream eth1 and tap*, and `body` from line 4 on. */
export function read(body: string, prefix = '2001:db8::/64'): { subnet: Subnet | undefined; problems: string[] } {
  const text = `subnet ${prefix} {\nupstream eth0\ndownstream eth1 tap*\n${body}\n}`
  const { config, diagnostics } = parseConfig(text, 'x')
  const problems = diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`)
  return { subnet: config?.subnets[0], problems }
}
