/** Server and client of the control socket. */
import t from 'tap'
import type { Test } from 'tap'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { request } from '../../src/control/client.ts'
import { type Part, VERSION } from '../../src/control/protocol.ts'
import { ControlServer, type Reply } from '../../src/control/server.ts'
import { writeFiles } from '../fixtures/program.ts'
import { until } from '../kit/until.ts'

const REQUEST = `{"version":${VERSION},"command":"count"}\n`

/** Yields as many numbers as are asked for. */
const count: Reply = function * ({ to = 3 }) { for (let n = 1; n <= Number(to); n++) yield { n } }
const fail: Reply = function * () {
  yield { n: 1 }
  throw new Error('no more')
}

/** A server at a path of its own. */
function serve(t: Test, { name = 'made/control.sock', files = {}, timeout = undefined as number | undefined, more = {} as Record<string, Reply>,
  isRoomLeft = (): boolean => true } = {}) {
  const directory = writeFiles({ 'a file': '', ...files })
  t.teardown(directory.close)
  const path = directory.path(name)
  const errors: Error[] = []
  const server = new ControlServer(path, { replies: { count, fail, ...more }, failed: (error) => errors.push(error), timeout, isRoomLeft })
  t.teardown(() => server.close())
  return { path, server, errors, opened: server.opened }
}

async function ask(path: string, command: string, args = {}, timeout?: number): Promise<Part[]> {
  const parts: Part[] = []
  for await (const part of request(path, command, args, timeout)) parts.push(part)
  return parts
}

/** Sends these bytes. @returns the reply */
function exchange(path: string, bytes: string): Promise<string> {
  const socket = connect(path).on('error', () => {})
  socket.write(bytes)
  return text(socket)
}

t.test('the client gets all parts of a reply', async (t) => {
  const { path, errors, opened } = serve(t)
  await opened
  for (const to of [0, 3, 5000]) t.same(await ask(path, 'count', { to }), Array.from({ length: to }, (_, i) => ({ n: i + 1 })))
  await t.rejects(ask(path, 'fail'), { message: 'no more' }, 'and the reason, if there are no more')
  t.same(errors, [])
})

t.test('anything but a request gets an error', async (t) => {
  const { path, opened } = serve(t)
  await opened
  for (const bytes of ['\n', 'count\n', 'null\n', '{"command":"count"}\n', '{"version":2,"command":"count"}\n', '{"version":1,"command":"toString"}\n',
    '[]\n', 'x'.repeat(65_537), `{"version":1,"command":"count","more":"${'x'.repeat(65_536)}"}\n`]) {
    t.match(JSON.parse(await exchange(path, bytes)), { error: /expects one line: .* one of count, fail\. / }, bytes.slice(0, 40))
  }
  const slow = connect(path)
  slow.write(REQUEST.slice(0, 5))
  await sleep(20)
  slow.write(REQUEST.slice(5))
  t.equal(await text(slow), '{"n":1}\n{"n":2}\n{"n":3}\n{"end":true}\n')
})

t.test('a client that sends on and on is disconnected', async (t) => {
  const { path, opened, server } = serve(t)
  await opened
  for (const first of [REQUEST, '']) {
    const socket = connect(path).on('error', () => {}).resume()
    t.teardown(() => socket.destroy())
    socket.write(first)
    let written = 0
    while (!socket.destroyed && written < 50e6) {
      socket.write('x'.repeat(1e6))
      written += 1e6
      await sleep(1)
    }
    t.ok(socket.destroyed, `after ${written} bytes`)
    await until(() => server.limits[0].used === 0)
  }
})

t.test('a long line is read', async (t) => {
  const { path, opened } = serve(t)
  await opened
  t.equal((await ask(path, 'count', { to: 1, more: 'x'.repeat(65_000) })).length, 1)
})

t.test('idle clients make room', async (t) => {
  const { path, server, opened } = serve(t)
  await opened
  const idle = Array.from({ length: 100 }, () => connect(path).resume())
  t.teardown(() => idle.forEach((socket) => socket.destroy()))
  await until(() => idle.filter(({ closed }) => closed).length === 68)
  t.same(server.limits, [{ name: 'control connections', used: 32, size: 32 }])
  t.equal((await ask(path, 'count')).length, 3)
  t.ok(idle.slice(0, 69).every(({ destroyed }) => destroyed), 'those that came first had to go')
})

t.test('without descriptors the oldest client makes room, or the command is refused', async (t) => {
  let isRoomLeft = true
  const { path, server, opened } = serve(t, { isRoomLeft: () => isRoomLeft })
  await opened
  const idle = connect(path).resume()
  await sleep(20)
  isRoomLeft = false
  t.equal((await ask(path, 'count')).length, 3)
  await until(() => idle.closed && server.limits[0].used === 0)
  await t.rejects(ask(path, 'count'), { message: /too many open files/ })
})

t.test('a client that does not read stops its reply', async (t) => {
  let taken = 0
  const endless: Reply = function * () { for (;; taken++) yield { text: 'x'.repeat(1000) } }
  const { path, opened } = serve(t, { more: { endless } })
  await opened
  const lazy = connect(path)
  t.teardown(() => lazy.destroy())
  lazy.write(REQUEST.replace('count', 'endless'))
  await sleep(200)
  const before = taken
  t.ok(before < 1000, `${before} parts of 1 kB`)
  t.equal((await ask(path, 'count')).length, 3)
  t.equal(taken, before)
})

t.test('silence ends a connection on both sides', async (t) => {
  const { path, opened } = serve(t, { timeout: 50 })
  await opened
  t.equal(await exchange(path, '{'), '')
  const silent = createServer((socket) => socket.resume()).listen(`${path}-silent`)
  t.teardown(() => silent.close())
  await t.rejects(ask(`${path}-silent`, 'count', {}, 50), { message: 'the daemon has not answered for 0.05 s' })
  const brief = createServer((socket) => socket.resume().end('{"n":1}\n')).listen(`${path}-brief`)
  t.teardown(() => brief.close())
  await t.rejects(ask(`${path}-brief`, 'count'), { message: 'the daemon closed the connection before the end of its reply' })
})

t.test('user and group may connect, and close removes all files', async (t) => {
  const mask = process.umask()
  const { path, server, opened } = serve(t)
  await opened
  t.equal(process.umask(), mask)
  t.equal(statSync(path).mode & 0o777, 0o660)
  t.equal(statSync(dirname(path)).mode & 0o777, 0o755)
  server.close()
  t.notOk(existsSync(dirname(path)))
  await t.rejects(ask(path, 'count'), { code: 'ENOENT' })
})

t.test('the socket of a daemon that was killed is replaced, that of a living one is not', async (t) => {
  const { path, server, errors, opened } = serve(t, { name: 'there/control.sock', files: { 'there/other': '' } })
  await opened
  const others: Error[] = []
  const second = new ControlServer(path, { replies: {}, failed: (error) => others.push(error) })
  t.teardown(() => second.close())
  await until(() => others.length > 0)
  t.match(others, [{ message: /^another daemon listens at .*: give this one a path of its own with `--control`$/ }])
  t.equal((await ask(path, 'count')).length, 3)
  t.same(errors, [])
  second.close()
  server.close()
  t.same(readdirSync(dirname(path)), ['other'])
})

t.test('a path where listening fails', async (t) => {
  const { path, server, errors, opened } = serve(t, { name: 'a file/control.sock' })
  await opened
  t.match(errors, [{ code: 'ENOTDIR' }])
  server.close()
  await t.rejects(ask(path, 'count'), { code: 'ENOTDIR' })
})

t.test('after a part that took long, the client gets the rest before it gives up', async (t) => {
  const long: Reply = function * () {
    for (const end = performance.now() + 1000; performance.now() < end;);
    yield { n: 1 }
    yield { n: 2 }
  }
  const { path, opened } = serve(t, { more: { long } })
  await opened
  t.equal((await ask(path, 'long')).length, 2)
})

t.test('only a socket is replaced', async (t) => {
  const { path, server, errors, opened } = serve(t, { name: 'ndp6d.conf', files: { 'ndp6d.conf': 'forwarding yes' } })
  await opened
  t.match(errors, [{ message: `${path} is not a socket: name another path with \`--control\`` }])
  server.close()
  t.equal(readFileSync(path, 'utf8'), 'forwarding yes')
  const long = serve(t, { name: 'x'.repeat(108) })
  await long.opened
  t.match(long.errors, [{ message: /has more than 107 bytes: name a shorter one/ }])
  t.same(readdirSync(dirname(long.path)), ['a file'])
})

t.test('a reply that waits learns that its client is gone', async (t) => {
  let isGone = false
  const wait: Reply = async function * (_, closed) {
    yield { n: 1 }
    await new Promise((resolve) => closed.addEventListener('abort', resolve))
    isGone = true
  }
  const { path, opened } = serve(t, { more: { wait } })
  await opened
  const reply = request(path, 'wait')
  t.same((await reply.next()).value, { n: 1 })
  t.notOk(isGone)
  await reply.return(undefined)
  await until(() => isGone)
})
