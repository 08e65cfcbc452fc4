/** Replies that end early, or that no ndp6d sends: each command says in one sentence what happened, and what to do. */
import { symlinkSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { command, ENV, writeFiles } from '../fixtures/program.ts'
import { schemaErrors } from '../kit/schema.ts'
import { Proc } from '../lab/kit/process.ts'

const files = writeFiles({ 'a file': '' })
t.teardown(files.close)

const LOST = 'the daemon closed the connection before the end of its reply: `systemctl status ndp6d` shows whether it runs, `journalctl -u ndp6d` why it ended'
const FOREIGN = /^ndp6d: the reply at \S+ is not one of this version of ndp6d: after an upgrade, `systemctl restart ndp6d`; `ss -xlp src \S+` shows the program that listens there$/

const COMMANDS = ['status', 'reload', 'explain 2001:db8::2', 'log-level', 'metrics', 'monitor --count 1']
const SOME = ['status', 'monitor']

/** What listens at the socket instead of a daemon, and what is printed. */
const LISTENERS: Readonly<Record<string, { isUnread?: boolean; reply: (socket: Socket) => unknown; shown: string | RegExp; commands?: string[] }>> = {
  'a daemon killed in the middle of a line': { reply: (socket) => socket.end('{"summary":{"vers'), shown: LOST },
  'a daemon killed between two parts': { reply: (socket) => socket.end('{"problems":[]}\n'), shown: LOST, commands: ['status', 'reload'] },
  'a daemon killed before it replies': { reply: (socket) => socket.end(), shown: LOST, commands: SOME },
  'a daemon killed before it reads (ECONNRESET)': { isUnread: true, reply: (socket) => setTimeout(() => socket.destroy(), 100), shown: LOST, commands: SOME },
  'a connection that is closed at once': { isUnread: true, reply: (socket) => socket.destroy(), shown: LOST, commands: SOME },
  'a program that greets': { reply: (socket) => socket.write('220 mail.example ESMTP\r\n'), shown: FOREIGN },
  'a program with binary messages': { reply: (socket) => socket.write(Uint8Array.of(0, 255, 10, 0, 10)), shown: FOREIGN, commands: SOME },
  'JSON that is no object': { reply: (socket) => socket.write('null\n["end"]\n'), shown: FOREIGN, commands: SOME },
  'JSON of another program': { reply: (socket) => socket.write('{"jsonrpc":"2.0","error":{"code":-32700}}\n{"end":true}\n'), shown: FOREIGN },
  'a daemon that hangs': { reply: () => {}, shown: /^ndp6d: the daemon has not answered for 10 s: /, commands: ['status', 'monitor'] },
  'no part that this command knows': { reply: (socket) => socket.write('{"end":true}\n'), shown: FOREIGN, commands: COMMANDS.slice(0, -1) },
}

for (const [name, { isUnread = false, reply, shown, commands = COMMANDS }] of Object.entries(LISTENERS)) {
  t.test(name, async (t) => {
    const path = join(files.path('.'), 'socket')
    const server = createServer({ pauseOnConnect: isUnread }, (socket) => {
      socket.on('error', () => {})
      if (isUnread) reply(socket)
      else socket.once('data', () => reply(socket))
    })
    await new Promise<void>((resolve) => server.listen(path, resolve))
    t.teardown(() => server.close())
    await Promise.all(commands.map(async (line) => {
      const [word, ...args] = line.split(' ')
      const text = new Proc(command(word, ...args, '--control', path), ENV)
      t.equal(await text.exited, 1, line)
      t.equal(text.lines.length, 1, text.lines.join('\n'))
      t.match(text.lines[0], typeof shown === 'string' ? `ndp6d: ${shown}` : shown, line)
    }))
    const json = new Proc(command('status', '--json', '--control', path), ENV)
    t.equal(await json.exited, 1)
    const document = json.lines.filter((each) => !each.startsWith('ndp6d:')).join('\n')
    t.same(schemaErrors('status', document), [])
    t.match(JSON.parse(document), { running: null, reason: 'no-reply' })
  })
}

t.test('a path at which nothing can listen', async (t) => {
  symlinkSync('loop', files.path('loop'))
  for (const [path, status, sentence] of [
    [files.path('a file'), 3, /^ndp6d: not running \(no process listens at/], [files.path('a file/socket'), 3, /^ndp6d: not running \(no process listens at/],
    [files.path('loop'), 1, /^ndp6d: cannot connect to \S+: .*: `--control PATH` names another socket$/],
  ] as const) {
    const proc = new Proc(command('status', '--control', path), ENV)
    t.equal(await proc.exited, status)
    t.match(proc.lines[0], sentence)
    t.equal(proc.lines.length, 1, proc.lines.join('\n'))
  }
})
