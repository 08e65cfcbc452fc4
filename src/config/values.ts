/**
 * Words -> typed values. Each reader returns undefined after it reported an error. Where ndppd 0.2.x misread in
 * silence (`atoi`, a bad address as ::/128, any odd word as "no") there is an error here, since the file then
 * does not do what it says.
 */
import { Address, Prefix } from '../address.ts'
import type { Endpoint } from './config.ts'
import type { Report, Span } from './diagnostic.ts'
import { quote } from './diagnostic.ts'
import type { Word } from './parser.ts'
import { nearAddress, nearest } from './suggest.ts'

/** Longest time (ms) and largest count: past it a JavaScript timer fires at once. */
export const MAX_INTEGER = 2 ** 31 - 1
/** IFNAMSIZ - 1 of <linux/if.h>, in bytes. */
const MAX_IFACE = 15
/** Characters: eight groups of four digits and seven colons. */
const MAX_ADDRESS = 39
/** Addresses looked up for "did you mean" in one run, so that a file full of errors is still read in linear time. */
const MAX_SUGGESTIONS = 50

const UNITS: ReadonlyMap<string, number> = new Map([['', 1], ['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000]])
const NO_UNIT: ReadonlyMap<string, number> = new Map([['', 1]])
const PLACEHOLDER = 'it is a placeholder'
const GUIDE = 'guides leave this for you to fill in: `ip -6 address` and `ip link` show what this machine has'
const TRUE = new Set(['yes', 'true'])
const FALSE = new Set(['no', 'false'])
const ON = /^(on|1|y|enabled?)$/i

export class Reader {
  readonly report: Report
  #suggestions = 0
  /** Interface names with which nothing is wrong: most files have few, often. */
  readonly #ifaces = new Set<string>()

  constructor(report: Report) {
    this.report = report
  }

  /** `yes`, `true`, `no`, `false`, in any case. */
  bool(word: Word, key: string): boolean | undefined {
    const truth = this.#truth(word, key)
    if (truth !== undefined) return truth
    // `on`, `1`: 0.2.x reads no, its user meant yes. Neither can be chosen in silence, nor rightly with a warning.
    const meant = ON.test(word.text) ? 'yes' : nearest(word.text, [...TRUE, ...FALSE])
    this.report.error(word, `${quote(word.text)} is not a value of \`${key}\`: expected yes or no`,
      `${meant === undefined ? '' : `write \`${key} ${meant}\`; `}ndppd 0.2.x would read no`)
    return undefined
  }

  #truth(word: Word, key: string): boolean | undefined {
    const text = word.text.toLowerCase()
    if (TRUE.has(text)) return true
    if (FALSE.has(text)) return false
    if (text !== 'off' && text !== '0') return undefined
    // 0.2.x reads every other word as no: here that is also what was meant.
    this.report.warning(word, `${quote(word.text)} is read as no`, `write \`${key} no\``)
    return false
  }

  /** Milliseconds, or with a unit: `500ms`, `30s`, `5m`, `1h`. Undefined too, with a warning, when negative. */
  time(word: Word, key: string): number | undefined {
    return this.#integer(word, key, UNITS, 'a time: milliseconds, or a number with ms, s, m or h, like 30s')
  }

  /** A count from 0. Undefined too, with a warning, when negative. */
  count(word: Word, key: string): number | undefined {
    return this.#integer(word, key, NO_UNIT, 'a whole number, like 3')
  }

  #integer(word: Word, key: string, units: typeof UNITS, expected: string): number | undefined {
    const [, sign, digits, unit] = /^([+-]?)(\d+)([a-z]*)$/i.exec(word.text) ?? []
    const scale = digits === undefined ? undefined : units.get(unit.toLowerCase())
    if (digits === undefined || scale === undefined) {
      const asRead = Number.parseInt(word.text) || 0
      this.report.error(word, `${quote(word.text)} is not a value of \`${key}\`: expected ${expected}`,
        `ndppd 0.2.x would read ${asRead}`)
      return undefined
    }
    const value = Number(digits) * scale
    if (sign === '-' && value !== 0) { // as in 0.2.x
      this.report.warning(word, `${quote(word.text)} is negative: the default of \`${key}\` is used`)
      return undefined
    }
    if (value > MAX_INTEGER) this.report.warning(word, `${quote(word.text)} is too large: ${MAX_INTEGER} is used`)
    return Math.min(value, MAX_INTEGER)
  }

  /** One of `words`; case matters, as in all of the language, but for `yes` and `no`: those are read as by `bool`. */
  choice(word: Word, key: string, words: readonly string[]): string | undefined {
    if (words.includes(word.text)) return word.text
    const truth = words.includes('no') ? this.#truth(word, key) : undefined
    if (truth === false) return 'no'
    if (truth === true && words.includes('yes')) return 'yes'
    const near = ON.test(word.text) ? words.find((each) => each === 'yes') : nearest(word.text, words)
    this.report.error(word, `${quote(word.text)} is not a value of \`${key}\`: expected ${words.join(', ')}`,
      near && `did you mean \`${near}\`?`)
    return undefined
  }

  /** `ADDRESS` or `ADDRESS/LENGTH`; host bits are masked with a warning. */
  prefix(word: Word): Prefix | undefined {
    const slash = word.text.indexOf('/')
    const address = parseAddress(slash < 0 ? word.text : word.text.slice(0, slash))
    const digits = slash < 0 ? '128' : word.text.slice(slash + 1)
    if (address === undefined || !/^\d{1,3}$/.test(digits) || Number(digits) > 128) return this.#badPrefix(word)
    const prefix = new Prefix(address, Number(digits))
    if (!prefix.address.equals(address)) {
      this.report.warning(word, `${quote(word.text)} has bits set behind its length: ${prefix} is used`)
    }
    return prefix
  }

  /** As {@link prefix}, or the word `auto`. */
  prefixOrAuto(word: Word): Prefix | 'auto' | undefined {
    if (word.text === 'auto') return 'auto'
    if (nearest(word.text.split('/', 1)[0], ['auto']) === undefined) return this.prefix(word)
    this.report.error(word, `${quote(word.text)} is no prefix: expected one like 2001:db8::/64, or \`auto\``,
      'did you mean `auto`?')
    return undefined
  }

  /** A single `ADDRESS`, or `ADDRESS/128`. */
  address(word: Word): Address | undefined {
    const [text, length = '128'] = word.text.split('/', 2)
    const address = parseAddress(text)
    if (address !== undefined && length === '128') return address
    if (address === undefined) this.#badPrefix(word)
    else this.report.error(word, `${quote(word.text)} is a prefix: expected one address`, `write \`${text}\``)
    return undefined
  }

  /** An interface name; with `wildcard`, `*` stands for any run of characters. */
  iface(word: Word, wildcard: boolean): string | undefined {
    const { text } = word
    if (this.#ifaces.has(text)) return text
    const wrong = ifaceProblem(text)
    if (wrong !== undefined) {
      const hint = wrong === PLACEHOLDER ? GUIDE : '`ip link` lists them'
      this.report.error(word, `${quote(text)} is no interface name: ${wrong}`, hint)
      return undefined
    }
    if (!wildcard && text.includes('*')) {
      this.report.error(word, `${quote(text)}: expected one interface, a wildcard cannot stand here`,
        'wildcards are for `downstream` in a subnet and `iface` in a rule')
      return undefined
    }
    const odd = /[^\w.@~+=*-]/u.exec(text)?.[0]
    if (odd !== undefined) {
      const hint = odd === '#' ? 'a comment needs a blank before it' : odd === ',' ? 'blanks separate names' : undefined
      this.report.warning(word, `${quote(odd)} is unusual in an interface name`, hint)
    } else if (!text.includes('*')) this.#ifaces.add(text)
    return text
  }

  /** `PORT` or `ADDRESS:PORT`, an IPv6 address in brackets. Without an address only this machine can connect. */
  endpoint(word: Word): Endpoint | undefined {
    const [, v6, other, digits] = /^(?:(?:\[([^\]]*)\]|(localhost|[\d.]+)):)?(\d{1,5})$/.exec(word.text) ?? []
    const port = Number(digits ?? NaN)
    const good = (v6 === undefined || parseAddress(v6) !== undefined)
      && (other === undefined || other === 'localhost' || /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/.test(other))
    if (good && port >= 1 && port <= 65535) return { host: v6 ?? other ?? '::1', port }
    this.report.error(word, `${quote(word.text)} is no endpoint: expected PORT or ADDRESS:PORT, like [::1]:9436`)
    return undefined
  }

  /** The address that was meant by `text`, while the budget for guesses lasts. */
  suggest(text: string, fits: (address: Address) => boolean = () => true): Address | undefined {
    return this.#suggestions++ < MAX_SUGGESTIONS ? nearAddress(text, fits) : undefined
  }

  #badPrefix(word: Word): undefined {
    const { text } = word
    const slash = text.indexOf('/')
    const address = slash < 0 ? text : text.slice(0, slash)
    const length = slash < 0 ? '' : text.slice(slash + 1)
    if (parseAddress(address) !== undefined) {
      const found = length === '' ? 'the prefix length is missing' : `${quote(length)} is no prefix length`
      this.report.error(tail(word, length), `${found}: expected 0 to 128 behind the \`/\``,
        `ndppd 0.2.x reads /${length === '' ? '0, which is every address' : '128'}`)
      return undefined
    }
    const near = /[0-9a-f]/i.test(address) && address.includes(':') ? this.suggest(address) : undefined
    const hint = foreignHint(text.slice(0, 64))
      ?? (near && `did you mean \`${near}${/^\d+$/.test(length) ? `/${length}` : ''}\`?`)
      ?? 'ndppd 0.2.x reads it as ::/128, which nobody asks for'
    this.report.error(word, `${quote(text)} is no IPv6 address or prefix: expected one like 2001:db8::/64`, hint)
    return undefined
  }
}

/** Address.parse, but quick for texts of any length. */
function parseAddress(text: string): Address | undefined {
  return text.length > MAX_ADDRESS ? undefined : Address.parse(text)
}

/** The part of `word` that is its last characters `text`. */
function tail(word: Word, text: string): Span {
  const end = word.quoted ? word.end - 1 : word.end
  return { source: word.source, start: Math.max(word.start, end - Math.max(1, text.length)), end }
}

/** What the kernel (dev_valid_name) or this file's syntax has against an interface name. */
function ifaceProblem(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text).length
  if (text === '') return 'it is empty'
  if (/^<.*>$|^\$|^\[.*\]$/.test(text)) return PLACEHOLDER
  if (text === '.' || text === '..') return 'the kernel does not allow it'
  const bad = /[/:\s"'{}\0-\x1f\x7f]/.exec(text)
  if (bad !== null) return `${quote(bad[0])} cannot be in it`
  return bytes > MAX_IFACE ? `it has ${bytes} bytes, ${MAX_IFACE} are allowed` : undefined
}

/** What `text` is that is no address at all; often what a guide left to fill in: `xxx/112`, `<net>/80`, `$PREFIX`. */
function foreignHint(text: string): string | undefined {
  if (/\d+\.\d+\.\d+\.\d+/.test(text)) return 'only IPv6 has Neighbor Discovery; dotted quads are not read'
  if (/^[0-9a-f:]+%/i.test(text)) return 'an address has no zone here'
  if (/^[a-z][\w.-]*\d$/i.test(text)) return 'this looks like an interface: it belongs inside the block'
  if (/[\u201c\u201d\u201e\u2018\u2019\xab\xbb]/.test(text)) return 'quotes must be plain ones, as on a keyboard'
  return /[<>[\]$%]|x{2,}|^x|your|prefix|[:.]x+[:./]|\.\.\.|example/i.test(text) ? GUIDE : undefined
}
