/** The manual has the meaning of each state and counter. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { ACTIONS, SILENT_REASONS } from '../../src/events.ts'
import { DAEMON_STATES, LINK_STATES, NEIGHBOR_STATES, OUTCOMES } from '../../src/replies/meanings.ts'
import { DROP_REASONS } from '../../src/wire/ndisc-decode.ts'

const manual = readFileSync(new URL('../../../docs/commands.md', import.meta.url), 'utf8')
const capital = (text: string): string => text[0].toUpperCase() + text.slice(1)

t.test('the manual has the words and their meanings', async (t) => {
  const meanings = { ...DAEMON_STATES, ...LINK_STATES, ...NEIGHBOR_STATES,
    ...Object.fromEntries(Object.entries(OUTCOMES).map(([outcome, [, meaning]]) => [outcome, meaning])) }
  const words: readonly string[] = Object.keys(meanings)
  t.same(words.filter((word) => !manual.includes(`| \`${word}\` | `)), [])
  for (const table of [DAEMON_STATES, LINK_STATES, NEIGHBOR_STATES]) {
    t.same(Object.entries(table).filter(([word, meaning]) => !manual.includes(`| \`${word}\` | ${capital(meaning)}.`)), [])
  }
  t.same(Object.entries(OUTCOMES).filter(([word, [, meaning]]) => !manual.includes(`| \`${word}\` | ${capital(meaning)}.`)), [])
  const section = manual.slice(manual.indexOf('### Outcomes'), manual.indexOf('## Report'))
  t.same([...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, word]) => word).filter((word) => !Object.hasOwn(OUTCOMES, word)), [], 'and no others')
})

t.test('the table has each counter once, by kind', async (t) => {
  const kinds = (words: readonly (keyof typeof OUTCOMES)[]): string[] => [...new Set(words.map((word) => OUTCOMES[word][0]))].sort()
  t.same(Object.keys(OUTCOMES).sort(), [...ACTIONS, ...SILENT_REASONS, ...DROP_REASONS].sort())
  t.same(kinds(SILENT_REASONS), ['unanswered'])
  t.same(kinds(DROP_REASONS), ['invalid'])
  t.same(kinds(ACTIONS), ['good', 'unanswered'])
  t.same(Object.values(OUTCOMES).filter(([, meaning]) => meaning.length > 45), [], 'it fits into 80 columns')
})
