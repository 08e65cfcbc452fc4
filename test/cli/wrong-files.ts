/**
 * Wrong configuration files, with all that a start prints: each NAME.conf of test/fixtures/wrong with NAME.txt. Then single mistakes in a
 * good file: each is one problem, at its place.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../src/cli/check.ts'
import { parseConfig } from '../../src/config/load.ts'

const HERE = new URL('../../../test/fixtures/wrong/', import.meta.url)

for (const name of readdirSync(HERE).filter((file) => file.endsWith('.conf')).sort()) {
  t.test(name, async (t) => {
    const before = process.cwd()
    process.chdir(HERE.pathname)
    t.teardown(() => process.chdir(before))
    let printed = ''
    const { refusal } = loadConfig(name, undefined, (part) => { printed += part })
    const all = `${printed}${refusal === undefined ? '' : `${refusal}\n`}`.replaceAll(HERE.pathname, '')
    const expected = new URL(name.replace('.conf', '.txt'), HERE)
    if (process.env.NDP6D_WRITE_EXPECTED === '1') writeFileSync(expected, all)
    t.equal(all, readFileSync(expected, 'utf8'))
  })
}

const GOOD = `forwarding yes
grace 20s
subnet 2001:db8::/64 {
  upstream eth0
  downstream eth1
  host 2001:db8::1 eth0
  exclude 2001:db8::dead:0/112
  learn yes
  timeout 500
  retries 3
}
proxy eth2 {
  ttl 30s
  rule 2001:db8:1::/112 { static }
}
`

/** @returns the problems of GOOD with `wrong` instead of the text from `at` to `end`: `LINE:COLUMN`, severity and hint */
function problemsOf(at: number, end: number, wrong: string): string[] {
  const { diagnostics } = parseConfig(GOOD.slice(0, at) + wrong + GOOD.slice(end), 'f')
  return diagnostics.map(({ line, column, severity, hint }) => `${line}:${column} ${severity} ${hint ?? ''}`)
}

/** @returns `LINE:COLUMN` of an offset */
function placeOf(at: number): string {
  const lines = GOOD.slice(0, at).split('\n')
  return `${lines.length}:${lines.at(-1)!.length + 1}`
}

/** @returns each word that a slip of the finger makes: a letter left out, doubled, swapped with the next one, or replaced */
function slips(word: string): Set<string> {
  const all = new Set<string>()
  for (let i = 0; i < word.length; i++) {
    all.add(word.slice(0, i) + word.slice(i + 1)).add(word.slice(0, i) + word[i] + word.slice(i))
    all.add(`${word.slice(0, i)}x${word.slice(i + 1)}`)
    if (i + 1 < word.length) all.add(word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2))
  }
  all.delete(word)
  return all
}

const keys = [...GOOD.matchAll(/(?<=^ *)[a-z]+(?= )|(?<=\{ )[a-z]+/gm)].map((match) => ({ key: match[0], at: match.index }))

t.test('a slip in any statement is one problem, at its place, with the word that was meant', async (t) => {
  t.equal(parseConfig(GOOD, 'f').diagnostics.length, 0)
  let count = 0
  for (const { key, at } of keys) {
    for (const wrong of slips(key)) {
      count++
      const problems = problemsOf(at, at + key.length, wrong)
      // Words in the block of a misspelt `subnet`, `proxy` or `rule` are ignored with it, so nothing else is reported.
      if (problems.length !== 1 || !problems[0].startsWith(`${placeOf(at)} `) || !problems[0].endsWith(`did you mean \`${key}\`?`)) {
        t.same(problems, [`${placeOf(at)} ... did you mean \`${key}\`?`], `${wrong} for ${key}`)
      }
    }
  }
  t.ok(count > 300, `${count} slips`)
})

t.test('a colon after any statement is one problem', async (t) => {
  for (const { key, at } of keys.filter((each) => each.key !== 'static')) {
    const end = at + key.length
    const place = placeOf(end)
    for (const wrong of [`${key}:`, `${key} :`, `${key}: `]) {
      const problems = problemsOf(at, end, wrong)
      t.equal(problems.length, 1, `${wrong}: ${problems.join()}`)
      t.ok(problems[0].startsWith(wrong === `${key} :` ? `${place.split(':')[0]}:` : `${place} error delete the colon: \`${key} `), wrong)
    }
  }
})

t.test('a blank left out after any statement is one problem', async (t) => {
  for (const { key, at } of keys.filter((each) => each.key !== 'static')) {
    const problems = problemsOf(at + key.length, at + key.length + 1, '')
    t.match(problems, [new RegExp(`^${placeOf(at)} (error|warning) write a blank after \`${key}\`|did you mean`)], key)
    t.equal(problems.length, 1, `${key}: ${problems.join()}`)
  }
})

t.test('transposed digits and groups of a host get a hint with an address of the subnet', async (t) => {
  const at = GOOD.indexOf('2001:db8::1')
  const transposed = ['2001:8db::1', '2001:d8b::1', '2001:bd8::1', '2001:8bd::1', '2001:b8d::1', '2010:db8::1', '2100:db8::1', '0120:db8::1',
    'db8:2001::1', '2001::db8:1', '2001:db:8::1', '2001:db8:::1', '2001.db8::1', '20O1:db8::1', '2001;db8::1']
  for (const wrong of transposed) {
    const problems = problemsOf(at, at + '2001:db8::1'.length, wrong)
    t.match(problems, [/^6:8 error did you mean `2001:db8::(1|8:1)`\?$/], wrong)
    t.equal(problems.length, 1)
  }
})

t.test('whatever character is left out, each problem has a place in the file, and its message is plain text', async (t) => {
  for (let at = 0; at < GOOD.length; at++) {
    const text = GOOD.slice(0, at) + GOOD.slice(at + 1)
    const { diagnostics } = parseConfig(text, 'f')
    const lines = text.split('\n')
    for (const { line, column, length, message } of diagnostics) {
      const isInside = line >= 1 && line <= lines.length && column >= 1 && column - 1 + length <= lines[line - 1].length + 1
      if (!isInside || /\p{Cc}/u.test(message)) t.fail(text)
    }
  }
  t.pass('all characters')
})
