/** Whatever lies beside it, the program that runs is the one in the file. */
import t from 'tap'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { keep } from '../src/code.ts'
import { run, writeFiles } from './fixtures/program.ts'

const PROGRAM = 'exports.answer = () => 41\n'
/** In a process of its own: V8 remembers what it compiled. */
const LOAD = `import { load } from ${JSON.stringify(new URL('../src/code.js', import.meta.url))}
const script = load(process.argv[1])
const exports = {}
script.runInThisContext()(exports)
process.stdout.write(exports.answer() + ' ' + script.cachedDataRejected)`

t.test('with its code, with that of another program or of another V8, with rubbish, and without any', (t) => {
  const { path, close } = writeFiles({ 'program.cjs': PROGRAM })
  t.teardown(close)
  const file = path('program.cjs')
  const code = `${file}.code`
  const start = (...flags: string[]): string => run([process.execPath, ...flags, '--input-type=module', '--eval', LOAD, file]).stdout
  t.equal(start(), '41 undefined', 'without any')
  keep(file)
  t.equal(start(), '41 false', 'its own')
  t.equal(start('--no-lazy'), '41 true', 'V8 with other flags')
  const kept = readFileSync(code)
  writeFileSync(code, Buffer.from(kept).fill(0, 32, 64))
  t.equal(start(), '41 true', 'of another V8, as far as can be seen')
  writeFileSync(code, kept)
  writeFileSync(file, PROGRAM.replace('41', '42'))
  t.equal(start(), '42 undefined', 'another program, of the same length')
  writeFileSync(code, 'rubbish')
  t.equal(start(), '42 undefined', 'rubbish')
  rmSync(file)
  t.match(run([process.execPath, '--input-type=module', '--eval', LOAD, file]).stderr, 'ENOENT')
  t.end()
})
