/** Server and client of the commands, over real sockets. */
import t from 'tap'
import type { Test } from 'tap'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { askStatus } from '../../src/control/client.ts'
import type { Summary } from '../../src/control/protocol.ts'
import { ControlServer } from '../../src/control/server.ts'
import type { KnownNeighbor } from '../../src/engine/known.ts'
import { writeFiles } from '../fixtures/program.ts'
import { until } from '../kit/until.ts'

const SUMMARY = { version: '1.2.3', pid: 7, uptime: 60, links: [], limits: [] } as unknown as Summary
const REQUEST = '{"command":"status"}\n'

function neighbor(n: number): KnownNeighbor {
  return { target: `2001:db8::${n.toString(16)}`, state: 'REACHABLE', iface: 'eth1', lladdr: undefined, pinned: false, routed: true }
}

function * neighbors(count: number): Generator<KnownNeighbor> { for (let i = 0; i < count; i++) yield neighbor(i) }

/** A server at a path of its own. */
function serve(t: Test, { count = 3, name = 'made/control', files = {}, patience = undefined as number | undefined } = {}) {
  const directory = writeFiles({ 'a file': '', ...files })
  t.teardown(directory.close)
  const path = directory.path(name)
  const errors: Error[] = []
  const server = new ControlServer(path, { summary: () => SUMMARY, neighbors: () => neighbors(count) }, (error) => errors.push(error), patience)
  t.teardown(() => server.close())
  return { path, server, errors }
}

/** What comes back for these bytes. */
function say(path: string, words: string): Promise<string> {
  const socket = connect(path)
  socket.write(words)
  return text(socket)
}

t.test('a command is told all', async (t) => {
  for (const count of [0, 3, 256, 1000]) {
    const { path, errors } = serve(t, { count })
    t.same(await askStatus(path), JSON.parse(JSON.stringify({ ...SUMMARY, neighbors: [...neighbors(count)] })))
    t.same(errors, [])
  }
})

t.test('of very many neighbors in parts, between which the daemon has other work', async (t) => {
  const { path } = serve(t, { count: 20_000 })
  let turns = 0
  let isDone = false
  const asked = askStatus(path).finally(() => { isDone = true })
  for (; !isDone; turns++) await setImmediate()
  t.equal((await asked).neighbors.length, 20_000)
  t.ok(turns > 20_000 / 256, `${turns} turns`)
})

t.test('what is no request is told so', async (t) => {
  const { path } = serve(t)
  for (const words of ['\n', 'status\n', 'null\n', '{"command":"stats"}\n', '[]\n', 'x'.repeat(1025)]) {
    t.match(JSON.parse(await say(path, words)), { error: /expected one line/ }, words.slice(0, 20))
  }
  const slow = connect(path)
  slow.write(REQUEST.slice(0, 5))
  await sleep(20)
  slow.write(REQUEST.slice(5))
  t.match(await text(slow), /"summary".*\n.*"neighbors".*\n{"end":true}\n$/)
})

t.test('so many at a time', async (t) => {
  const { path, server } = serve(t)
  const idle = Array.from({ length: 8 }, () => connect(path))
  await until(() => server.limits[0].used === 8)
  await t.rejects(askStatus(path), { message: '8 other commands are being answered: try again in a moment' }, 'the ninth is turned away')
  t.same(server.limits, [{ name: 'commands that are answered', used: 8, size: 8 }])
  for (const socket of idle) socket.destroy()
  await until(() => server.limits[0].used === 0)
  t.equal((await askStatus(path)).pid, 7)
})

t.test('who says nothing is sent away', async (t) => {
  const { path } = serve(t, { patience: 50 })
  t.equal(await say(path, '{'), '')
  const silent = createServer(() => {}).listen(`${path}-silent`)
  t.teardown(() => silent.close())
  await t.rejects(askStatus(`${path}-silent`, 50), { message: 'ndp6d has not answered for 0.05 s' })
  const brief = createServer((socket) => socket.end('{"summary":{}}\n')).listen(`${path}-brief`)
  t.teardown(() => brief.close())
  await t.rejects(askStatus(`${path}-brief`), { message: 'ndp6d ended before it had told all' })
})

t.test('nobody else may ask, and nothing is left behind', async (t) => {
  const mask = process.umask()
  const { path, server } = serve(t)
  t.equal(process.umask(), mask)
  t.equal(statSync(path).mode & 0o777, 0o700, 'a socket that its user can use')
  server.close()
  t.notOk(existsSync(dirname(path)))
  await t.rejects(askStatus(path), { code: 'ENOENT' })
})

t.test('a directory that is there already stays, a former socket does not', async (t) => {
  const { path, server, errors } = serve(t, { name: 'there/control', files: { 'there/control': 'old', 'there/other': '' } })
  t.equal((await askStatus(path)).pid, 7)
  t.same(errors, [])
  server.close()
  t.same(readdirSync(dirname(path)), ['other'])
})

t.test('where nobody can listen', async (t) => {
  const { path, server, errors } = serve(t, { name: 'a file/control' })
  t.match(errors, [{ code: 'ENOTDIR' }])
  server.close()
  await t.rejects(askStatus(path), { code: 'ENOTDIR' })
})
