/** SIGUSR1 while the daemon starts: Node's debugger may not listen. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { ownNamespace, veth } from '../kit/namespace.ts'
import { command, ENV, writeFiles } from '../fixtures/program.ts'
import { ROOT } from '../lab/kit/systemd.ts'
import { Proc } from '../lab/kit/process.ts'
import { until } from '../kit/until.ts'

await ownNamespace()
veth('eth0', 'far0')

const STARTS = 20
/** proc_pid_status(5): the bit of SIGUSR1 in the masks of blocked and caught signals. */
const SIGUSR1 = 0x200n
const LISTEN = '0A'

const files = writeFiles({ 'ndp6d.conf': 'subnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n}\n' })
t.teardown(files.close)

/** @returns the TCP sockets of this network namespace that listen */
function listening(): string[] {
  return ['tcp', 'tcp6'].flatMap((name) => readFileSync(`/proc/net/${name}`, 'utf8').trim().split('\n').slice(1))
    .filter((line) => line.trim().split(/\s+/)[3] === LISTEN)
}

/** @returns whether Node runs in this process, so that SIGUSR1 does not end it */
function isNode(pid: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return /^Name:\s+(?:node|ndp6d|MainThread)/m.test(status)
    && [...status.matchAll(/^Sig(?:Blk|Cgt):\s+(\w+)/gm)].some(([, mask]) => (BigInt(`0x${mask}`) & SIGUSR1) !== 0n)
}

/** Starts the daemon and sends SIGUSR1 every 10 ms until it is ready. @returns whether a port listened at any moment, and at the end */
async function bombard(options: string): Promise<{ ever: boolean; afterwards: boolean }> {
  const daemon = new Proc(command('--config', files.path('ndp6d.conf')), { ...ENV, NODE_OPTIONS: options })
  try {
    await until(() => isNode(daemon.pid), undefined, 'Node starts')
    let ever = false
    let next = 0
    await until(() => {
      if (performance.now() >= next) {
        daemon.child.kill('SIGUSR1')
        next = performance.now() + 10
      }
      ever ||= listening().length > 0
      return !daemon.running || daemon.lines.some((line) => line.includes('ready'))
    }, undefined, 'ready')
    const afterwards = !await until(() => listening().length === 0, 3000).catch(() => false)
    return { ever, afterwards }
  } finally {
    t.equal(await daemon.stop(), 0)
  }
}

t.test('with the environment of the unit the debugger never listens', async (t) => {
  const unit = readFileSync(`${ROOT}/systemd/ndp6d.service`, 'utf8')
  const options = /^Environment=NODE_OPTIONS=(.*)$/m.exec(unit)?.[1] ?? ''
  for (let i = 0; i < STARTS; i++) t.same(await bombard(options), { ever: false, afterwards: false })
})

t.test('without it, what was opened while Node itself started is closed', async (t) => {
  for (let i = 0; i < STARTS / 2; i++) t.equal((await bombard('')).afterwards, false)
})
