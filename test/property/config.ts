import t from 'tap'
import fc from 'fast-check'
import type { Config } from '../../src/config/config.ts'
import { renderDiagnostic } from '../../src/config/diagnostic.ts'
import { parseConfig } from '../../src/config/load.ts'
import { OPTIONS } from '../../src/config/option-table.ts'
import { printConfig } from '../../src/config/print.ts'
import { config } from './kit/configs.ts'

const words = [...OPTIONS.keys()]

/** Text with parts of a configuration. */
const almost = fc.array(fc.oneof(
  fc.constantFrom('{', '}', '\n', ' ', '\t', ';', '=', '#', '//', '/*', '*/', '"', "'", '\r\n', '\0', '\ufeff', '\u00a0'),
  fc.constantFrom('网', '-1', '1e3', '2147483648', 'yes', 'solicit', 'mrd', '30s'),
  fc.constantFrom('eth0', 'tap*', '2001:db8::/64', '2001:db8::1', '2001::db8:1'),
  fc.constantFrom(...words.map((word) => ` ${word} `)),
  fc.constantFrom('proxy eth0 {\n', 'subnet 2001:db8::/64 {\n', 'subnet auto {\nupstream a\ndownstream b\n'),
  fc.constantFrom('rule 2001:db8::/64 {', 'include a\n'),
  fc.string({ maxLength: 5, unit: 'binary' }),
), { maxLength: 60 }).map((parts) => parts.join(''))

t.test('any text is read, and each problem is at a place inside it', async () => {
  fc.assert(fc.property(fc.oneof(almost, fc.string({ unit: 'binary' })), (text) => {
    const { config, diagnostics } = parseConfig(text, 'main', (file) => [{ file, text: text.slice(1) }])
    if ((config === undefined) !== diagnostics.some(({ severity }) => severity === 'error')) throw new Error('errors')
    for (const diagnostic of diagnostics) {
      const { line, column, length, text: shown } = diagnostic
      const inside = line >= 1 && column >= 1 && length >= 1 && column <= shown.length + 1
      if (!inside) throw new Error(`${line}:${column}+${length}`)
      renderDiagnostic(diagnostic)
    }
    if (config !== undefined) same(parseConfig(printConfig(config), 'printed').config, config)
  }), { numRuns: 3000 })
})

t.test('punctuation alone is read', async () => {
  fc.assert(fc.property(fc.array(fc.constantFrom('{', '}', ';', '"', ' ', '\n', 'a', '='), { maxLength: 300 }),
    (parts) => void parseConfig(parts.join(''), 'main')), { numRuns: 500 })
})

function same(read: Config | undefined, wanted: Config): void {
  const [found, expected] = [read, wanted].map((value) => JSON.stringify(value, canonical))
  if (found !== expected) throw new Error(`${found}\n${expected}\n${printConfig(wanted)}`)
}

/** Sorts keys, for JSON.stringify. */
function canonical(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

t.test('parse(print(c)) = c', async () => {
  fc.assert(fc.property(config, (wanted) => {
    const { config: read, diagnostics } = parseConfig(printConfig(wanted), 'printed')
    const error = diagnostics.find(({ severity }) => severity === 'error')
    if (error !== undefined) throw new Error(renderDiagnostic(error))
    same(read, wanted)
  }), { numRuns: 500 })
})
