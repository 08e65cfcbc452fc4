/** Replaces addresses in a text, so that the text can be published. The same address always gets the same word. */
import { Address, Prefix } from '../address.ts'

/** At least six pairs of digits: link-layer addresses, also those of InfiniBand. */
const MAC = /(?<![\w:])[0-9a-f]{2}(?::[0-9a-f]{2}){5,}(?![\w:])/gi
/** A text that may be an IPv6 address, perhaps with a prefix length. Times of day match as well, but `Address.parse` refuses them. */
const IPV6 = /(?<![\w:.])([0-9a-f]*:[0-9a-f:]*:[0-9a-f.:]*)(\/\d{1,3})?(?![\w:])/gi
const IPV4 = /(?<![\w.-])(\d{1,3}(?:\.\d{1,3}){3})(\/\d{1,2})?(?![\w-]|\.\d)/g
/** Names that udev makes from a link-layer address (systemd.net-naming-scheme(7)). */
const NAME_OF_MAC = /\benx((?:[0-9a-f]{2}){6})\b/g
/** Link-layer addresses that belong to no host: zero and broadcast. */
const COMMON_MAC = /^(?:00:)+00$|^(?:ff:)+ff$/i
const COMMON_IPV4 = /^(?:127\.|0\.0\.0\.0$|255\.255\.255\.255$)/
const SOLICITED_NODE = new Prefix(Address.parse('ff02::1:ff00:0')!, 104)
const MULTICAST = new Prefix(Address.parse('ff00::')!, 8)
/** How many leading bits of an IPv6 address are not replaced. */
const KEPT = 64

export class Anonymizer {
  readonly #words = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  /**
   * Replaces MAC addresses by `[M1]`, IPv4 addresses by `[V1]`, and the last 64 bits of IPv6 addresses, as in `2001:db8::[A1]`. Keeps
   * prefixes, and addresses that every machine has.
   */
  text(text: string): string {
    return text.replace(NAME_OF_MAC, (_, digits: string) => `enx${this.#word('M', digits.match(/../g)!.join(':'))}`)
      .replace(MAC, (mac) => COMMON_MAC.test(mac) ? mac : this.#word('M', mac.toLowerCase()))
      .replace(IPV6, (all, text: string, length: string = '') => {
        // A sentence may end with a colon or a full stop after the address.
        const [, address, end] = /^(.*?)([.:]?)$/.exec(text)!
        const parsed = Address.parse(text) ?? Address.parse(address)
        return parsed === undefined ? all : `${this.#address(parsed, length)}${Address.parse(text) === undefined ? end : ''}`
      })
      .replace(IPV4, (all, address: string, length: string = '') => COMMON_IPV4.test(address) ? all : `${this.#word('V', address)}${length}`)
  }

  /** @param length the prefix length after the address, as in `/64`; empty: there is none */
  #address(address: Address, length: string): string {
    const { w0, w1, w2, w3 } = address
    const bits = Number(length.slice(1) || 128)
    const isPrefix = bits < 128 && new Prefix(address, bits).address.equals(address)
    if (isPrefix || (w0 === 0 && w1 === 0 && w2 === 0 && (w3 === 0 || w3 === 1))) return `${address}${length}`
    // A solicited-node group is replaced, because its last 24 bits are those of a unicast address.
    if (SOLICITED_NODE.contains(address)) return `${this.#word('G', address.toString(), 'ff02::1:ff')}${length}`
    if (MULTICAST.contains(address)) return `${address}${length}`
    return `${this.#word('A', address.toString(), new Prefix(address, KEPT).address.toString())}${length}`
  }

  /** @param kept the start of the address, which stays in front of the word */
  #word(kind: string, address: string, kept = ''): string {
    let word = this.#words.get(address)
    if (word === undefined) {
      const count = (this.#counts.get(kind) ?? 0) + 1
      this.#counts.set(kind, count)
      this.#words.set(address, word = `${kept}[${kind}${count}]`)
    }
    return word
  }
}
