/** The printed difference of two configurations is empty exactly if they are equal. */
import t from 'tap'
import fc from 'fast-check'
import { changesBetween } from '../../src/config/changes.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { Places } from '../../src/config/places.ts'
import { printConfig } from '../../src/config/print.ts'
import { config } from './kit/configs.ts'

/** Settings that only a `subnet` block can change. */
const ONLY_SUBNET: readonly unknown[] = ['learn', 'routerAdvertisements', 'defaultRoute']
/** Lists whose order has no effect. */
const UNORDERED = ['hosts', 'exclude', 'downstream']

function canonical(key: string, value: unknown): unknown {
  if (Array.isArray(value)) return UNORDERED.includes(key) ? [...new Set(value.map((each) => JSON.stringify(each)))].sort() : value
  return value === null || typeof value !== 'object' ? value : Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
}

const textOf = (each: Config): string => JSON.stringify(each, canonical)

/** A configuration that differs from `config` in one place at most. */
function changed(config: Config): fc.Arbitrary<Config> {
  const paths: (readonly (string | number)[])[] = []
  const visit = (value: unknown, path: readonly (string | number)[]): void => {
    paths.push(path)
    if (Array.isArray(value)) value.forEach((each, i) => visit(each, [...path, i]))
    else if (value !== null && typeof value === 'object' && !('toJSON' in value)) {
      for (const [key, each] of Object.entries(value)) visit(each, [...path, key])
    }
  }
  visit(config, [])
  const edit = (value: any, [key, ...rest]: readonly (string | number)[]): any => {
    if (key === undefined) {
      if (Array.isArray(value)) return value.slice(1).concat(value.slice(0, 1))
      if (typeof value === 'string') return `${value}x`
      return typeof value === 'boolean' ? !value : typeof value === 'number' ? value + 1 : value
    }
    if (Array.isArray(value)) return value.flatMap((each, i) => i !== key ? [each] : rest.length === 0 ? [] : [edit(each, rest)])
    return { ...value, [key]: edit(value[key], rest) }
  }
  // Not options of a `proxy` block.
  const isOption = (path: readonly (string | number)[]): boolean => path[0] !== 'proxies' || !ONLY_SUBNET.includes(path.at(-1)!)
  return fc.constantFrom(...paths.filter(isOption)).map((path) => edit(config, path) as Config)
}

t.test('empty if and only if equal', async () => {
  const pair = fc.oneof(fc.tuple(config, config), config.chain((each) => fc.tuple(fc.constant(each), changed(each))))
  fc.assert(fc.property(pair, ([a, b]) => {
    const isEqual = textOf(a) === textOf(b)
    for (const [before, after] of [[a, b], [b, a]]) {
      const changes = changesBetween(before, after, new Places())
      if ((changes.length === 0) !== isEqual) throw new Error(`${JSON.stringify(changes)}\n${printConfig(before)}\n${printConfig(after)}`)
    }
  }), { numRuns: 3000 })
})

t.test('each added or changed part has a place', async () => {
  fc.assert(fc.property(config, config, (before, wanted) => {
    const { config: after, places } = parseConfig(printConfig(wanted), 'printed')
    for (const change of changesBetween(before, after!, places)) {
      if ((change.file === null) !== (change.op === 'remove')) throw new Error(JSON.stringify(change))
    }
  }), { numRuns: 500 })
})
