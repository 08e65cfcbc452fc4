import t, { type Test } from 'tap'
import { closeSync, mkdtempSync, openSync, fstatSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { osError } from '../../src/linux/errors.ts'
import { native } from '../../src/linux/native.ts'
import { Journal, encodeFields, notify, notifyReloading, underJournal, watchdogInterval } from '../../src/linux/systemd.ts'

const SLOT = 1 << 18

/** Binds a socket to `name`. @returns a function that receives up to four datagrams, as text */
function listen(t: Test, name: string): () => string[] {
  const socket = native.openUnix(name, '')
  t.teardown(() => socket.close())
  return () => {
    const slab = Buffer.alloc(4 * SLOT)
    const meta = new Int32Array(16)
    const count = socket.receive(slab, SLOT, meta)
    return Array.from({ length: count }, (_, i) => slab.toString('utf8', i * SLOT, i * SLOT + meta[4 * i]))
  }
}

function scratch(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'ndp6d-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return directory
}

t.test('notify', async (t) => {
  t.equal(notify({ READY: '1' }, {}), undefined, 'no socket')
  t.equal(notify({ READY: '1' }, { NOTIFY_SOCKET: '' }), undefined)

  const path = join(scratch(t), 'notify')
  const received = listen(t, path)
  t.equal(notify({ READY: '1', STATUS: '2 links\nREADY=0' }, { NOTIFY_SOCKET: path }), undefined)
  t.same(received(), ['READY=1\nSTATUS=2 links READY=0\n'], 'one datagram, a line per field, no injected line')

  const abstract = `@ndp6d-test-${process.pid}`
  const receivedAbstract = listen(t, abstract)
  t.equal(notify({ WATCHDOG: '1' }, { NOTIFY_SOCKET: abstract }), undefined)
  t.same(receivedAbstract(), ['WATCHDOG=1\n'], 'a name without a file')

  const before = process.hrtime.bigint() / 1000n
  t.equal(notifyReloading({ NOTIFY_SOCKET: path }), undefined)
  const [, usec] = /^RELOADING=1\nMONOTONIC_USEC=(\d+)\n$/.exec(received()[0]) ?? []
  t.ok(BigInt(usec) >= before && BigInt(usec) <= process.hrtime.bigint() / 1000n, 'microseconds of CLOCK_MONOTONIC')

  t.match(notify({ READY: '1' }, { NOTIFY_SOCKET: `${path}-none` }), { code: 'ENOENT' }, 'an error is a value')
  let closed = 0
  const full = (): never => ({ send: () => 0, close: () => { closed++ } }) as never
  t.match(notify({ READY: '1' }, { NOTIFY_SOCKET: path }, full), { code: 'EAGAIN' })
  t.equal(closed, 1, 'the socket is closed in any case')
})

t.test('watchdogInterval', async (t) => {
  t.equal(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 15_000, 'half of it')
  t.equal(watchdogInterval({ WATCHDOG_USEC: '30000000' }, 7), 15_000)
  t.equal(watchdogInterval({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined, 'for another process')
  t.equal(watchdogInterval({ WATCHDOG_USEC: '1' }, 7), 1)
  for (const WATCHDOG_USEC of ['', '0', '-1', 'x', '1e9']) t.equal(watchdogInterval({ WATCHDOG_USEC }), undefined)
  t.equal(watchdogInterval({}), undefined)
})

t.test('underJournal', async (t) => {
  const fd = openSync('/dev/null', 'w')
  const { dev, ino } = fstatSync(fd)
  t.ok(underJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd))
  t.notOk(underJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, fd), 'stderr was redirected')
  t.notOk(underJournal({ JOURNAL_STREAM: '' }, fd))
  t.notOk(underJournal({}, fd))
  closeSync(fd)
  t.notOk(underJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd), 'closed')
})

t.test('encodeFields', async (t) => {
  t.equal(encodeFields({ MESSAGE: 'a=b', PRIORITY: '6' }).toString(), 'MESSAGE=a=b\nPRIORITY=6\n')
  t.equal(encodeFields({ NDP_ERR: 'é\nb', X: '1' }).toString('latin1'),
    'NDP_ERR\n\x04\0\0\0\0\0\0\0\xc3\xa9\nb\nX=1\n', 'its length in bytes')
})

t.test('Journal', async (t) => {
  const path = join(scratch(t), 'journal')
  const lines: string[] = []
  let opened = 0
  const open: typeof native.openUnix = (...names) => {
    opened++
    return native.openUnix(...names)
  }
  const journal = new Journal(path, open, (line) => lines.push(line))
  t.teardown(() => journal.close())

  journal.send({ MESSAGE: 'no journald', PRIORITY: '4' })
  t.same(lines.splice(0), ['<4>no journald\n'], 'goes to stderr')

  const received = listen(t, path)
  journal.send({ MESSAGE: 'one', PRIORITY: '6' })
  journal.send({ MESSAGE: 'two', PRIORITY: '6' })
  t.same(received(), ['MESSAGE=one\nPRIORITY=6\n', 'MESSAGE=two\nPRIORITY=6\n'], 'used as soon as it exists')

  journal.send({ MESSAGE: 'long', NDP_ERR: 'x'.repeat(1 << 20) })
  t.same(lines.splice(0), ['long\n'], 'too long for a datagram (EMSGSIZE): its text only')
  journal.send({ MESSAGE: 'three' })
  t.same(received(), ['MESSAGE=three\n'], 'the socket still works')

  let sent = 0
  for (; lines.length === 0 && sent < 100_000; sent++) journal.send({ MESSAGE: 'flood\nof it' })
  t.same(lines.splice(0), ['flood of it\n'], 'the text is not lost when journald is behind (EAGAIN)')
  t.ok(sent > 1)
  journal.send({ MESSAGE: 'x' })
  t.equal(opened, 2, 'not opened again after these errors')

  journal.close()
  journal.close()
})

t.test('Journal opens its socket again after it broke', async (t) => {
  let opened = 0
  const broken = (): never => {
    const first = ++opened === 1
    return { send: () => { if (first) throw osError(111, 'sendmmsg'); return 1 }, close: () => {} } as never
  }
  const lines: string[] = []
  const journal = new Journal('/none', broken, (line) => lines.push(line))
  for (const MESSAGE of ['a', 'b', 'c']) journal.send({ MESSAGE })
  t.same(lines, ['a\n'])
  t.equal(opened, 2)
  const closed = new Journal('/none', () => { throw osError(2, 'connect') }, () => { throw new Error('EPIPE') })
  closed.send({ MESSAGE: 'x' })
  t.pass('never throws')
})
