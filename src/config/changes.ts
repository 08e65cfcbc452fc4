/** The difference between two configurations: one change for each block, rule, host, exclusion and option that differs. */
import type { Config, Proxy, Rule, Settings, Subnet } from './config.ts'
import { OPTIONS, type Where } from './option-table.ts'
import type { Place, Places } from './places.ts'
import { printEndpoint, printValue } from './print.ts'

export interface Change {
  readonly op: 'add' | 'change' | 'remove'
  readonly what: 'subnet' | 'proxy' | 'rule' | 'host' | 'exclude' | 'option' | 'order'
  /** Prefix, interface, address or keyword of the part that changed; empty for `order`. */
  readonly name: string
  /** The block that contains the part, such as `subnet 2001:db8::/64`; null for a part outside of all blocks. */
  readonly block: string | null
  /** Prefix of a subnet, rule or exclusion; else null. */
  readonly prefix: string | null
  /** The former and the new value; null where there is none. */
  readonly from: string | null
  readonly to: string | null
  /** The place of the new value; null for a removed part. */
  readonly file: string | null
  readonly line: number | null
}

/** One statement of a configuration. */
interface Part extends Pick<Change, 'what' | 'name' | 'block' | 'prefix'> {
  /** Identifies the part: parts with equal keys in the two configurations are compared. */
  readonly key: string
  /** The value as it is printed. */
  readonly value: string | null
  /** The part is a block. Its value is not compared, because the parts inside the block are compared. */
  readonly isBlock?: boolean
  /** The list to which the part belongs, if the order of this list has an effect. */
  readonly list?: string
  /** Key of the block that contains the part. If that block is new or removed, only its rules are listed one by one. */
  readonly parent?: string
  readonly place: (places: Places) => Place | undefined
}

/**
 * Returns the changes from `before` to `after`, in the order of `after`, with removed parts at the end. The order of `host` and `exclude`
 * lines and of `downstream` links is not compared, because it has no effect.
 * @param places the places where the parts of `after` were read
 */
export function changesBetween(before: Config, after: Config, places: Places): Change[] {
  const [old, young] = [before, after].map((config) => new Map([...partsOf(config)].map((part) => [part.key, part])))
  const changes: Change[] = []
  const push = (op: Change['op'], { what, name, block, prefix }: Omit<Part, 'key' | 'value'>, from: string | null, to: string | null,
    place?: Place): void => {
    changes.push({ op, what, name, block, prefix, from, to, file: place?.file ?? null, line: place?.line ?? null })
  }
  const isShown = ({ what, parent }: Part, other: ReadonlyMap<string, Part>): boolean => what === 'rule' || parent === undefined || other.has(parent)
  for (const [key, part] of young) {
    const former = old.get(key)
    if (former === undefined) {
      if (isShown(part, old)) push('add', part, null, part.value, part.place(places))
    } else if (part.isBlock !== true && former.value !== part.value) push('change', part, former.value, part.value, part.place(places))
  }
  for (const list of new Set([...young.values()].map((part) => part.list))) {
    const [first, second] = [[old, young], [young, old]].map(([one, other]) =>
      [...one.values()].filter((part) => part.list === list && other.has(part.key)))
    if (list === undefined || first.every(({ key }, i) => key === second[i].key)) continue
    push('change', { what: 'order', name: '', block: second[0].block, prefix: null, place: second[0].place }, null, null, second[0].place(places))
  }
  for (const [key, part] of old) if (!young.has(key) && isShown(part, young)) push('remove', part, part.value, null)
  return changes
}

function * partsOf(config: Config): Generator<Part> {
  yield* options('top', undefined, null, config, config)
  for (const subnet of config.subnets) yield* partsOfSubnet(subnet)
  const counts = new Map<string, number>()
  for (const proxy of config.proxies) yield* partsOfProxy(proxy, nth(counts, proxy.iface))
}

function * partsOfSubnet(subnet: Subnet): Generator<Part> {
  const { prefix, upstream, downstream, hosts, exclude, dns, search, settings } = subnet
  const name = prefix === 'auto' ? `auto (${upstream})` : String(prefix)
  const block = `subnet ${name}`
  yield { key: block, what: 'subnet', name, block: null, prefix: String(prefix), value: `${upstream} to ${downstream.join(' ')}`, isBlock: true,
    list: 'subnets', place: (places) => places.of(subnet) }
  const lists = { upstream, downstream: [...downstream].sort().join(' '), dns: dns?.join(' '), search: search?.join(' ') }
  for (const [word, value] of Object.entries(lists)) {
    if (value === undefined) continue
    yield { key: `${block} ${word}`, what: 'option', name: word, block, prefix: null, value, parent: block,
      place: (places) => places.ofOption(subnet, word) }
  }
  yield* options('subnet', block, block, settings, subnet)
  for (const host of hosts) {
    yield { key: `${block} host ${host.address}`, what: 'host', name: String(host.address), block, prefix: null,
      value: host.iface ?? 'any downstream', parent: block, place: (places) => places.of(host) }
  }
  for (const part of exclude) {
    yield { key: `${block} exclude ${part}`, what: 'exclude', name: String(part), block, prefix: String(part), value: null, parent: block,
      place: (places) => places.of(part) }
  }
}

/** @param number distinguishes several blocks of one interface */
function * partsOfProxy(proxy: Proxy, number: number): Generator<Part> {
  const { iface, rules, settings } = proxy
  const block = `proxy ${iface}`
  const key = `${block} ${number}`
  yield { key, what: 'proxy', name: iface, block: null, prefix: null, value: rules.length === 1 ? '1 rule' : `${rules.length} rules`,
    isBlock: true, list: 'proxies', place: (places) => places.of(proxy) }
  yield* options('proxy', block, key, settings, proxy)
  const counts = new Map<string, number>()
  for (const rule of rules) {
    const prefix = String(rule.prefix)
    yield { key: `${key} rule ${prefix} ${nth(counts, prefix)}`, what: 'rule', name: prefix, block, prefix, value: describe(rule, iface),
      list: key, parent: key, place: (places) => places.of(rule) }
  }
}

/**
 * Yields the options of one block, or the options outside of all blocks.
 * @param block the name of the block; undefined outside of all blocks
 * @param parent the key of the block; null outside of all blocks
 * @param owner the object for which {@link Places} has the options
 */
function * options(where: Where, block: string | undefined, parent: string | null, values: Partial<Settings & Config>,
  owner: object): Generator<Part> {
  for (const [word, { sets, type, where: places }] of OPTIONS) {
    const value = sets === undefined || !places.includes(where) ? undefined : values[sets as keyof typeof values]
    if (value === undefined) continue
    const text = type === 'endpoint' ? printEndpoint(values.metrics!) : type === 'time' ? printTime(value as number) : printValue(value as string)
    yield { key: `${parent} ${word}`, what: 'option', name: word, block: block ?? null, prefix: null, value: text,
      ...(parent === null ? {} : { parent }), place: (places) => places.ofOption(owner, sets!) }
  }
}

function describe(rule: Rule, iface: string): string {
  return rule.kind === 'iface' ? `${iface} to ${rule.ifaces.join(' ')}${rule.autovia ? ' autovia' : ''}` : `${iface} ${rule.kind}`
}

/** Formats milliseconds as a whole number in the largest possible unit: `90s`. */
function printTime(time: number): string {
  const [unit, scale] = ([['h', 3_600_000], ['m', 60_000], ['s', 1000]] as const).find(([, each]) => time > 0 && time % each === 0) ?? ['ms', 1]
  return `${time / scale}${time === 0 ? '' : unit}`
}

/** Counts the calls with `name`. @returns the number of this call, from 1 */
function nth(counts: Map<string, number>, name: string): number {
  const number = (counts.get(name) ?? 0) + 1
  counts.set(name, number)
  return number
}
