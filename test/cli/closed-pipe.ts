/** A reader that closes the pipe before it is written (`| head`), and an output that is full. */
import t from 'tap'
import { command, run, writeFiles } from '../fixtures/program.ts'
import { ownNamespace, veth } from '../kit/namespace.ts'

await ownNamespace()
veth('eth0', 'far0')
veth('eth1', 'far1')

const BLOCK = 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n}\n'
const files = writeFiles({ 'good.conf': BLOCK, 'bad.conf': BLOCK.replace('upstream', 'upsteam') })
t.teardown(files.close)

/** Runs a command line. @param output where stdout goes, in the words of sh(1) @returns the exit status, and what went to stderr */
function write(line: string, output: string): { status: number; stderr: string } {
  const argv = command(...line.split(' ').map((word) => word.endsWith('.conf') ? files.path(word) : word))
  const { stderr } = run(['sh', '-c', `{ "$@"; echo "status $?" >&3; } 3>&2 ${output}`, 'sh', ...argv])
  const [, rest, status] = /^(.*)status (\d+)\n$/s.exec(stderr) ?? []
  return { status: Number(status), stderr: rest }
}

for (const [line, status] of [['check good.conf', 0], ['check --print good.conf', 0], ['check --json bad.conf', 78], ['init new.conf', 1],
  ['doctor --list', 0], ['report --json', 0], ['status --json', 3], ['reload --json', 3], ['metrics --json', 3], ['log-level --json', 3],
  ['monitor --json', 3], ['explain --json 2001:db8::2', 3], ['--help', 0]] as const) {
  t.test(line, async (t) => {
    const { status: ended, stderr } = write(line, '| true')
    t.equal(ended, status)
    t.notMatch(stderr, /\n {4}at |Error|EPIPE/)
    t.equal(write(line, '2>&1 | true').status, status, 'also if the errors go there')
  })
}

t.test('an output that is full', async (t) => {
  for (const line of ['check good.conf', 'init new.conf', 'doctor --list', 'log-level --json']) {
    const { status, stderr } = write(line, '>/dev/full')
    t.equal(status, 1, line)
    t.match(stderr, /^ndp6d: cannot write the output: ENOSPC: .*: free space, or write it elsewhere$/m)
  }
})
