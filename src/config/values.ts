/**
 * Reads words as typed values. Each method returns undefined after it reported an error. Values that ndppd 0.2.x silently
 * misreads are errors (numbers by `atoi`, a bad address as ::/128, any unknown word as "no").
 */
import { Address, Prefix } from '../address.ts'
import type { Endpoint } from './config.ts'
import { quote, type Report, type Span } from './diagnostic.ts'
import type { Word } from './parser.ts'
import { Places } from './places.ts'
import { nearAddress, nearest } from './suggest.ts'

/** A domain of at most 253 characters (RFC 1035 2.3.4), without the final dot. The last label is not a number, unlike in 192.0.2.1. */
const DOMAIN = /^(?=.{1,253}$)(?!(.*\.)?\d+$)[a-z0-9_]([\w-]{0,61}[a-z0-9])?(\.[a-z0-9_]([\w-]{0,61}[a-z0-9])?)*$/i
/** Maximum of times (ms) and counts: a JavaScript timer with a longer time fires at once. */
const MAX_INTEGER = 2 ** 31 - 1
/** IFNAMSIZ - 1 of linux/if.h, in bytes. */
const MAX_IFACE = 15
/** The port in examples that messages give. */
const METRICS_PORT = 9436
/** The most addresses per run for which a correction is searched, so that a file full of errors is read in linear time. */
const MAX_SUGGESTIONS = 50

/** Statements of ndppd 0.2.x with a switch, a time or a count. */
const OF_NDPPD = new Set(['router', 'autowire', 'autovia', 'keepalive', 'promiscuous', 'timeout', 'ttl', 'deadtime', 'retries'])
const UNITS: ReadonlyMap<string, number> = new Map([['', 1], ['ms', 1], ['s', 1000], ['m', 60_000], ['h', 3_600_000]])
const NO_UNIT: ReadonlyMap<string, number> = new Map([['', 1]])
const PLACEHOLDER = 'it is a placeholder'
const GUIDE = 'replace the placeholder of the guide: `ip -6 address` and `ip link` show the values of this machine'
const TRUE = new Set(['yes', 'true'])
const FALSE = new Set(['no', 'false'])
const ON = /^(on|1|y|enabled?)$/i

export class Reader {
  readonly report: Report
  readonly places = new Places()
  #suggestions = 0
  readonly #ifaces: Map<string, Span>
  /** Interface names that were found valid, so that each is checked only once: most files repeat the same names often. */
  readonly #usual = new Set<string>()

  /** @param ifaces receives all interface names and patterns, each with the place of its first mention */
  constructor(report: Report, ifaces = new Map<string, Span>()) {
    this.report = report
    this.#ifaces = ifaces
  }

  /** Reads `yes`, `true`, `no` or `false`, in any case. */
  bool(word: Word, key: string): boolean | undefined {
    const truth = this.#truth(word, key)
    if (truth !== undefined) return truth
    // ndppd 0.2.x reads `on` and `1` as no, the opposite of what they mean, so a warning is not enough.
    const meant = ON.test(word.text) ? 'yes' : nearest(word.text, [...TRUE, ...FALSE])
    const hints = [...meant === undefined ? [] : [`write \`${key} ${meant}\``], ...OF_NDPPD.has(key) ? ['ndppd 0.2.x would read no'] : []]
    this.report.error(word, 'bad-value', `${quote(word.text)} is not a value of \`${key}\`: expected yes or no`, hints.join('; '))
    return undefined
  }

  #truth(word: Word, key: string): boolean | undefined {
    const text = word.text.toLowerCase()
    if (TRUE.has(text)) return true
    if (FALSE.has(text)) return false
    if (text !== 'off' && text !== '0') return undefined
    // ndppd 0.2.x reads every word except yes and true as no. `off` and `0` mean no as well, so a warning is enough.
    this.report.warning(word, 'bad-value', `${quote(word.text)} is read as no`, `write \`${key} no\``)
    return false
  }

  /** Reads a time: `500`, `500ms`, `30s`, `5m`, `1h`. @returns milliseconds; undefined for a negative time, with a warning */
  time(word: Word, key: string): number | undefined {
    return this.#integer(word, key, UNITS, 'a time: milliseconds, or a number with ms, s, m or h, like 30s')
  }

  /** Reads a count, 0 or more. @returns undefined for a negative number, with a warning */
  count(word: Word, key: string): number | undefined { return this.#integer(word, key, NO_UNIT, 'a whole number, like 3') }

  #integer(word: Word, key: string, units: typeof UNITS, expected: string): number | undefined {
    const [, sign, digits, unit] = /^([+-]?)(\d+)([a-z]*)$/i.exec(word.text) ?? []
    const scale = digits === undefined ? undefined : units.get(unit.toLowerCase())
    if (digits === undefined || scale === undefined) {
      const hint = OF_NDPPD.has(key) ? `ndppd 0.2.x would read ${Number.parseInt(word.text) || 0}` : undefined
      this.report.error(word, 'bad-value', `${quote(word.text)} is not a value of \`${key}\`: expected ${expected}`, hint)
      return undefined
    }
    const value = Number(digits) * scale
    if (sign === '-' && value !== 0) { // as in ndppd 0.2.x
      this.report.warning(word, 'bad-value', `${quote(word.text)} is negative: the default of \`${key}\` is used`)
      return undefined
    }
    if (value > MAX_INTEGER) this.report.warning(word, 'bad-value', `${quote(word.text)} is too large: ${MAX_INTEGER} is used`)
    return Math.min(value, MAX_INTEGER)
  }

  /** Reads one of `words`, whose case matters. `yes` and `no` among them are read as by {@link bool}. */
  choice(word: Word, key: string, words: readonly string[]): string | undefined {
    if (words.includes(word.text)) return word.text
    const truth = words.includes('no') ? this.#truth(word, key) : undefined
    if (truth === false) return 'no'
    if (truth === true && words.includes('yes')) return 'yes'
    const near = ON.test(word.text) ? words.find((each) => each === 'yes') : nearest(word.text, words)
    this.report.error(word, 'bad-value', `${quote(word.text)} is not a value of \`${key}\`: expected ${words.join(', ')}`,
      near && `did you mean \`${near}\`?`)
    return undefined
  }

  /** Reads `ADDRESS` or `ADDRESS/LENGTH`. Clears bits that are set after the length, with a warning. */
  prefix(word: Word): Prefix | undefined {
    const prefix = Prefix.parse(word.text)
    if (prefix === undefined) return this.#badPrefix(word)
    if (!prefix.address.equals(Address.parse(word.text.split('/', 1)[0])!)) {
      this.report.warning(word, 'host-bits', `${quote(word.text)} has bits set after its length: ${prefix} is used`)
    }
    return prefix
  }

  /** Reads the {@link prefix} of a rule. Warns of a single address that ends in zeros, because it was probably meant as a prefix. */
  rulePrefix(word: Word): Prefix | undefined {
    const prefix = this.prefix(word)
    if (prefix !== undefined && !word.text.includes('/') && (prefix.address.w3 & 0xffff) === 0) {
      this.report.warning(word, 'missing-length', `${quote(word.text)} has no prefix length: it is read as one address, ${prefix}`,
        `write \`${prefix}\`, or the length of a wider prefix`)
    }
    return prefix
  }

  /** Reads `ADDRESS/LENGTH` or the word `auto`. */
  prefixOrAuto(word: Word): Prefix | 'auto' | undefined {
    if (word.text === 'auto') return 'auto'
    if (nearest(word.text.split('/', 1)[0], ['auto']) === undefined) {
      const prefix = this.prefix(word)
      if (prefix === undefined || word.text.includes('/')) return prefix
      this.report.error(word, 'missing-length', `${quote(word.text)} has no prefix length: expected a prefix like 2001:db8::/64`,
        `did you mean \`${new Prefix(prefix.address, 64)}\`?`)
      return undefined
    }
    this.report.error(word, 'bad-address',
      `${quote(word.text)} is not a prefix: expected one like 2001:db8::/64, or \`auto\``, 'did you mean `auto`?')
    return undefined
  }

  address(word: Word): Address | undefined {
    const prefix = Prefix.parse(word.text)
    if (prefix === undefined) return this.#badPrefix(word, 'an IPv6 address: expected one like 2001:db8::5')
    if (prefix.length === 128) return prefix.address
    this.report.error(word, 'bad-address', `${quote(word.text)} is a prefix: expected one address`, `write \`${word.text.split('/', 1)[0]}\``)
    return undefined
  }

  /** Reads the address of a name server. A link-local address is valid: such a server is on the link of the hosts. */
  server(word: Word): Address | undefined {
    if (/^[a-z][a-z0-9-]*(\.[a-z0-9-]+)+$/i.test(word.text)) {
      this.report.error(word, 'bad-address', `${quote(word.text)} is not an IPv6 address: expected one like 2001:db8::5`,
        `write its address, which \`getent ahostsv6 ${word.text}\` shows`)
      return undefined
    }
    const address = this.address(word)
    if (address === undefined || address.isGlobal || address.isLinkLocal) return address
    this.report.error(word, 'bad-address', `${quote(word.text)} is not the address of a name server: hosts cannot send to it`,
      'write an address that the server has on a link')
    return undefined
  }

  domain(word: Word): string | undefined {
    const text = word.text.replace(/\.$/, '')
    if (DOMAIN.test(text)) return text
    this.report.error(word, 'bad-value', `${quote(word.text)} is not a domain: expected one like example.net`)
    return undefined
  }

  /** Reads an interface name; with `wildcard`, `*` matches any run of characters. */
  iface(word: Word, wildcard: boolean): string | undefined {
    const { text } = word
    if (this.#usual.has(text)) return text
    const wrong = ifaceProblem(text)
    if (wrong !== undefined) {
      const hint = wrong === PLACEHOLDER ? GUIDE : '`ip link` lists the interfaces'
      this.report.error(word, 'bad-interface', `${quote(text)} is not an interface name: ${wrong}`, hint)
      return undefined
    }
    if (!wildcard && text.includes('*')) {
      this.report.error(word, 'bad-interface', `${quote(text)} has a wildcard: expected the name of one interface`,
        'wildcards are allowed in the `downstream` of a subnet and the `iface` of a rule')
      return undefined
    }
    const odd = /[^\w.@~+=*-]/u.exec(text)?.[0]
    if (odd !== undefined) {
      const hint = odd === '#' ? 'a comment needs a blank before it' : odd === ',' ? 'separate names with blanks' : foreignHint(odd)
      this.report.warning(word, 'bad-interface', `${quote(odd)} is unusual in an interface name`, hint)
    } else if (!text.includes('*')) this.#usual.add(text)
    if (!this.#ifaces.has(text)) this.#ifaces.set(text, word)
    return text
  }

  /** Reads `PORT` or `ADDRESS:PORT`, with brackets around an IPv6 address. The default address is ::1. */
  endpoint(word: Word): Endpoint | undefined {
    const [, v6, other, digits] = /^(?:(?:\[([^\]]*)\]|(localhost|[\d.]+)):)?(\d{1,5})$/.exec(word.text) ?? []
    const port = Number(digits ?? NaN)
    const good = (v6 === undefined || Address.parse(v6) !== undefined)
      && (other === undefined || other === 'localhost' || /^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$/.test(other))
    if (good && port >= 1 && port <= 65535) return { host: v6 ?? other ?? '::1', port }
    this.report.error(word, 'bad-value', `${quote(word.text)} is not an endpoint: expected PORT or ADDRESS:PORT, like [::1]:${METRICS_PORT}`,
      endpointHint(word.text))
    return undefined
  }

  /** @returns the {@link nearAddress} of `text`; undefined after MAX_SUGGESTIONS calls */
  suggest(text: string, fits: (address: Address) => boolean = () => true): Address | undefined {
    return this.#suggestions++ < MAX_SUGGESTIONS ? nearAddress(text, fits) : undefined
  }

  #badPrefix(word: Word, expected = 'an IPv6 address or prefix: expected one like 2001:db8::/64'): undefined {
    const { text, quoted, source } = word
    const [, address, length = ''] = /^([^/]*)(?:\/(.*))?$/s.exec(text)!
    if (Address.parse(address) !== undefined) {
      const found = length === '' ? 'the prefix length is missing' : `${quote(length)} is not a prefix length`
      const end = quoted ? word.end - 1 : word.end
      const start = Math.max(word.start, end - Math.max(1, length.length))
      this.report.error({ source, start, end }, 'bad-address', `${found}: expected 0 to 128 after the \`/\``,
        `ndppd 0.2.x reads /${length === '' ? '0, which is every address' : '128'}`)
      return undefined
    }
    const near = /[0-9a-f]/i.test(address) && address.includes(':') ? this.suggest(address) : undefined
    const hint = foreignHint(text.slice(0, 64)) ?? (near && `did you mean \`${near}${/^\d+$/.test(length) ? `/${length}` : ''}\`?`)
      ?? 'ndppd 0.2.x reads it as ::/128, which matches no solicitation'
    this.report.error(word, 'bad-address', `${quote(text)} is not ${expected}`, hint)
    return undefined
  }
}

/** @returns a hint for an endpoint without port, with an invalid port, or without the brackets of its address */
function endpointHint(text: string): string | undefined {
  if (Address.parse(text) !== undefined) return `write \`[${text}]:${METRICS_PORT}\``
  const [, inside, after] = /^\[([^\]]*)\]?:?(\d*)$/.exec(text) ?? []
  const [, before, end] = /^(.*):(\d{4,5})$/.exec(text) ?? []
  const [host, port] = inside !== undefined ? [inside, after] : before !== undefined ? [before, end] : /^\d+$/.test(text) ? ['', text] : [text, '']
  if (port !== '' && !(Number(port) >= 1 && Number(port) <= 65535)) return 'a port is a number from 1 to 65535'
  if (Address.parse(host) !== undefined) return `write \`[${host}]:${port || METRICS_PORT}\``
  return port === '' && (host === 'localhost' || /^\d+(\.\d+){3}$/.test(host)) ? `write \`${host}:${METRICS_PORT}\`` : undefined
}

/** @returns why the kernel (dev_valid_name) or the syntax of the file does not allow an interface name */
function ifaceProblem(text: string): string | undefined {
  const bytes = new TextEncoder().encode(text).length
  if (text === '') return 'it is empty'
  if (/^<.*>$|^\$|^\[.*\]$/.test(text)) return PLACEHOLDER
  if (text === '.' || text === '..') return 'the kernel does not allow it'
  const bad = /[/:\s"'{}\0-\x1f\x7f]/.exec(text)
  if (bad !== null) return `it contains ${quote(bad[0])}`
  return bytes > MAX_IFACE ? `it has ${bytes} bytes, the limit is ${MAX_IFACE}` : undefined
}

/** @returns a hint for text that does not look like an address, often a placeholder of a guide: `xxx/112`, `<net>/80`, `$PREFIX` */
function foreignHint(text: string): string | undefined {
  if (/^\d+\.\d+\.\d+\.\d+(\/\d+)?$/.test(text)) return 'write an IPv6 address: ndp6d does nothing for IPv4'
  if (/\d+\.\d+\.\d+\.\d+/.test(text)) return 'write an IPv6 address without dotted quads'
  if (/^[0-9a-f:]+%/i.test(text)) return 'delete the zone (`%` and all after it)'
  if (/^[a-z][\w.-]*\d$/i.test(text)) return 'this looks like an interface: write it inside the block'
  if (/[\u201c\u201d\u201e\u2018\u2019\xab\xbb]/.test(text)) return 'write plain quotes: " or \''
  return /[<>[\]$%]|x{2,}|^x|your|prefix|[:.]x+[:./]|\.\.\.|example/i.test(text) ? GUIDE : undefined
}
