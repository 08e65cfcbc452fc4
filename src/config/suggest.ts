/** Suggestions for misspelt words and addresses. */
import { Address } from '../address.ts'

/** Counts the edits from `a` to `b` (insert, delete, replace, swap of neighbors: optimal string alignment), without case. */
export function distance(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()]
  let before: number[] = []
  let above = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const row = [i]
    for (let j = 1; j <= to.length; j++) {
      row[j] = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1))
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) row[j] = Math.min(row[j], before[j - 2] + 1)
    }
    before = above
    above = row
  }
  return above[to.length]
}

/**
 * Allows one edit per three letters of `word`, and at least one edit.
 * @returns the word of `known` with the fewest edits from `word`; undefined if all words need more edits
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined
  let least = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= least) continue
    const edits = distance(word, candidate)
    if (edits < least) [best, least] = [candidate, edits]
  }
  return best
}

/**
 * Lists the existing links, for a message that link `name` is missing, and suggests a link with a similar name.
 * @param present the names of the existing links, in the order to show
 * @param configured the names in the configuration, which are not suggested
 * @param limit the most names to show
 * @returns text such as `did you mean \`eth0\`? links here: eth0, eth1`
 */
export function linksHere(name: string, present: readonly string[], configured: ReadonlySet<string>, limit: number): string {
  const near = nearest(name, present.filter((each) => !configured.has(each)))
  const more = present.length > limit ? ` and ${present.length - limit} more` : ''
  return `${near === undefined ? '' : `did you mean \`${near}\`? `}links here: ${present.slice(0, limit).join(', ') || 'none'}${more}`
}

/**
 * Returns the first near miss of `text` that is an address and that `fits` accepts. Near misses, in this order: invalid
 * characters replaced, a final `:` doubled, the `::` moved, neighboring groups or digits swapped, the digits of one group in another
 * order, one character left out or replaced.
 */
export function nearAddress(
  text: string, fits: (address: Address) => boolean, misses: (text: string) => Iterable<string> = nearMisses,
): Address | undefined {
  if (text.length > 45) return undefined // longer than any address
  for (const candidate of misses(text)) {
    const address = Address.parse(candidate)
    if (address !== undefined && fits(address)) return address
  }
  return undefined
}

/** @returns the address in `[2001:db8::2]`, `fe80::1%eth0` or `2001:db8::2/64` */
export function addressWithin(text: string): Address | undefined {
  return Address.parse(/^\s*\[?([0-9a-f:]+)/i.exec(text)?.[1] ?? '')
}

function* nearMisses(text: string): Generator<string> {
  const clean = text.replace(/[oO]/g, '0').replace(/[lI]/g, '1').replace(/[.;,]/g, ':').replace(/:{3,}/g, '::')
  if (clean !== text) yield clean
  if (/[^:]:$/.test(clean)) yield `${clean}:`
  yield* movedColons(clean)
  const groups = clean.split(':')
  for (let i = 0; i + 1 < groups.length; i++) yield groups.with(i, groups[i + 1]).with(i + 1, groups[i]).join(':')
  for (let i = 0; i + 1 < clean.length; i++) yield clean.slice(0, i) + clean[i + 1] + clean[i] + clean.slice(i + 2)
  for (let i = 0; i < groups.length; i++) for (const group of permutations(groups[i])) yield groups.with(i, group).join(':')
  for (let i = 0; i < clean.length; i++) yield clean.slice(0, i) + clean.slice(i + 1)
  for (let i = 0; i < clean.length; i++) {
    for (const digit of '0123456789abcdef') yield clean.slice(0, i) + digit + clean.slice(i + 1)
  }
}

/** @returns the digits of a group in every order */
function permutations(group: string): string[] {
  if (group.length > 4) return []
  if (group.length < 2) return [group]
  return Array.from(group, (digit, i) => permutations(group.slice(0, i) + group.slice(i + 1)).map((rest) => digit + rest)).flat()
}

/** Moves the `::` (`2001::db8:2` to `2001:db8::2`) to each place with at least `least` groups before and one group after the `::`. */
function* movedColons(text: string, least = 0): Generator<string> {
  if (!text.includes('::')) return
  const groups = text.split(/:+/).filter((group) => group !== '')
  for (let at = groups.length - 1; at >= least; at--) yield `${groups.slice(0, at).join(':')}::${groups.slice(at).join(':')}`
}

/** Moves the `::` to the right only: a `::` that is too early cuts the prefix short. */
export function laterColons(text: string): Iterable<string> {
  return movedColons(text, text.slice(0, text.indexOf('::')).split(':').length + 1)
}
