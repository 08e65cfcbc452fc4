/** Server and client of the control socket. */
import t from 'tap'
import type { Test } from 'tap'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { requestStatus } from '../../src/control/client.ts'
import type { Summary } from '../../src/control/protocol.ts'
import { ControlServer } from '../../src/control/server.ts'
import type { NeighborSnapshot } from '../../src/engine.ts'
import { writeFiles } from '../fixtures/program.ts'
import { until } from '../kit/until.ts'

const SUMMARY = { version: '1.2.3', pid: 7, uptime: 60, links: [], limits: [] } as unknown as Summary
const REQUEST = '{"command":"status"}\n'

function neighbor(n: number): NeighborSnapshot {
  return { target: `2001:db8::${n.toString(16)}`, state: 'REACHABLE', iface: 'eth1', lladdr: undefined, pinned: false, routed: true }
}

function * neighbors(count: number): Generator<NeighborSnapshot> { for (let i = 0; i < count; i++) yield neighbor(i) }

/** A server at a path of its own. */
function serve(t: Test, { count = 3, name = 'made/control', files = {}, timeout = undefined as number | undefined } = {}) {
  const directory = writeFiles({ 'a file': '', ...files })
  t.teardown(directory.close)
  const path = directory.path(name)
  const errors: Error[] = []
  const source = { summary: () => SUMMARY, neighbors: () => neighbors(count) }
  const server = new ControlServer(path, source, (error) => errors.push(error), timeout)
  t.teardown(() => server.close())
  return { path, server, errors }
}

/** Sends these bytes. @returns the reply */
function exchange(path: string, bytes: string): Promise<string> {
  const socket = connect(path)
  socket.write(bytes)
  return text(socket)
}

t.test('the client gets the summary and all neighbors', async (t) => {
  for (const count of [0, 3, 256, 1000]) {
    const { path, errors } = serve(t, { count })
    t.same(await requestStatus(path), JSON.parse(JSON.stringify({ ...SUMMARY, neighbors: [...neighbors(count)] })))
    t.same(errors, [])
  }
})

t.test('other work runs between the parts of a long reply', async (t) => {
  const { path } = serve(t, { count: 20_000 })
  let turns = 0
  let isDone = false
  const reply = requestStatus(path).finally(() => { isDone = true })
  for (; !isDone; turns++) await setImmediate()
  t.equal((await reply).neighbors.length, 20_000)
  t.ok(turns > 20_000 / 256, `${turns} turns`)
})

t.test('anything but a request gets an error', async (t) => {
  const { path } = serve(t)
  for (const bytes of ['\n', 'status\n', 'null\n', '{"command":"stats"}\n', '[]\n', 'x'.repeat(1025)]) {
    t.match(JSON.parse(await exchange(path, bytes)), { error: /expected one line/ }, bytes.slice(0, 20))
  }
  const slow = connect(path)
  slow.write(REQUEST.slice(0, 5))
  await sleep(20)
  slow.write(REQUEST.slice(5))
  t.match(await text(slow), /"summary".*\n.*"neighbors".*\n{"end":true}\n$/)
})

t.test('the number of connections is limited', async (t) => {
  const { path, server } = serve(t)
  const idle = Array.from({ length: 8 }, () => connect(path))
  await until(() => server.limits[0].used === 8)
  await t.rejects(requestStatus(path), { message: '8 other commands are being answered: try again in a moment' }, 'the ninth is refused')
  t.same(server.limits, [{ name: 'control connections', used: 8, size: 8 }])
  for (const socket of idle) socket.destroy()
  await until(() => server.limits[0].used === 0)
  t.equal((await requestStatus(path)).pid, 7)
})

t.test('silence ends a connection on both sides', async (t) => {
  const { path } = serve(t, { timeout: 50 })
  t.equal(await exchange(path, '{'), '')
  const silent = createServer(() => {}).listen(`${path}-silent`)
  t.teardown(() => silent.close())
  await t.rejects(requestStatus(`${path}-silent`, 50), { message: 'the daemon has not answered for 0.05 s' })
  const brief = createServer((socket) => socket.end('{"summary":{}}\n')).listen(`${path}-brief`)
  t.teardown(() => brief.close())
  await t.rejects(requestStatus(`${path}-brief`), { message: 'the daemon closed the connection before the end of its reply' })
})

t.test('only its user may connect, and close removes all files', async (t) => {
  const mask = process.umask()
  const { path, server } = serve(t)
  t.equal(process.umask(), mask)
  t.equal(statSync(path).mode & 0o777, 0o700, 'accessible for its user')
  server.close()
  t.notOk(existsSync(dirname(path)))
  await t.rejects(requestStatus(path), { code: 'ENOENT' })
})

t.test('an existing directory stays, an old socket is replaced', async (t) => {
  const { path, server, errors } = serve(t, { name: 'there/control', files: { 'there/control': 'old', 'there/other': '' } })
  t.equal((await requestStatus(path)).pid, 7)
  t.same(errors, [])
  server.close()
  t.same(readdirSync(dirname(path)), ['other'])
})

t.test('a path where listening fails', async (t) => {
  const { path, server, errors } = serve(t, { name: 'a file/control' })
  t.match(errors, [{ code: 'ENOTDIR' }])
  server.close()
  await t.rejects(requestStatus(path), { code: 'ENOTDIR' })
})
