/** Memory that only the start needed is given back, and all that was there still works. */
import t from 'tap'
import { command, run } from '../fixtures/program.ts'

t.test('settle', (t) => {
  const url = new URL('../../src/linux/settle.js', import.meta.url).href
  const [node] = command()
  const { stdout, stderr, status } = run([node, '--input-type=module', '-e', `
    import { readFileSync } from 'node:fs'
    import { createHash } from 'node:crypto'
    import { settle } from ${JSON.stringify(url)}
    const resident = () => Object.fromEntries([...readFileSync('/proc/self/status', 'latin1')
      .matchAll(/^Rss(Anon|File):\\s+(\\d+) kB/gm)].map(([, name, kilobytes]) => [name, Number(kilobytes) / 1024]))
    let garbage = Array.from({ length: 2e5 }, (_, i) => ({ i }))
    const before = resident()
    garbage = undefined
    const began = performance.now()
    settle()
    const took = performance.now() - began
    settle()
    const after = resident()
    const hash = createHash('sha256').update('abc').digest('hex')
    console.log(JSON.stringify({ before, after, hash, took, gc: typeof globalThis.gc, later: 'x'.replace(/x/, new Date(0).toISOString()) }))`])
  t.equal(status, 0, stderr)
  const { before, after, hash, gc, later, took } = JSON.parse(stdout)
  t.comment(JSON.stringify({ before, after, took }))
  t.ok(before.File - after.File > 10, 'MiB of program files')
  t.ok(before.Anon - after.Anon > 4, 'MiB of garbage')
  t.equal(hash, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  t.equal(later, '1970-01-01T00:00:00.000Z')
  t.equal(gc, 'undefined', 'the collector has no name for others')
  t.end()
})
