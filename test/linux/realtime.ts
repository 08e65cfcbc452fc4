/** Realtime priority: who has it and who has not, by the kernel's own account of the threads. */
import t from 'tap'
import { spawnSync } from 'node:child_process'
import { command, run } from '../fixtures/program.ts'

const url = (name: string): string => new URL(`../../src/linux/${name}.js`, import.meta.url).href
const [node] = command()

/** Runs it in a process of its own. @returns what it said, and scheduling policy and priority of all threads after it */
function tried(call: string, prefix: readonly string[] = []) {
  const { stdout, stderr, status } = run([...prefix, node, '--input-type=module', '-e', `
    import { readdirSync, readFileSync } from 'node:fs'
    import { Worker } from 'node:worker_threads'
    import { useRealtime } from ${JSON.stringify(url('realtime'))}
    import { native } from ${JSON.stringify(url('native'))}
    const attempt = () => { try { return native.useRealtime() ?? 'done' } catch ({ code, errno, syscall }) { return { code, errno, syscall } } }
    const said = ${call}
    const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
    worker.on('online', () => {
      // Fields 40 and 41 of proc_pid_stat(5): rt_priority, policy; the name before may contain anything.
      const scheduling = (id) => readFileSync('/proc/self/task/' + id + '/stat', 'latin1').replace(/.*\\) /s, '').split(' ').slice(37, 39).map(Number)
      const threads = readdirSync('/proc/self/task').map(Number)
      console.log(JSON.stringify({ said, ours: scheduling(process.pid),
        others: threads.filter((id) => id !== process.pid).map(scheduling) }))
      worker.terminate()
    })`])
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as { said: unknown; ours: number[]; others: number[][] }
}

const NONE = [0, 0]     // SCHED_OTHER
const LOWEST = [1, 2]   // SCHED_RR

// Root may, where control groups let it.
const may = spawnSync('chrt', ['--reset-on-fork', '--rr', '1', 'true']).status === 0

t.test(`who may${may ? '' : ' not'}`, async (t) => {
  const { said, ours, others } = tried('useRealtime(2)')
  t.equal(said, may)
  t.same(ours, may ? LOWEST : NONE, 'this thread')
  t.ok(others.length > 4, 'helpers, and a worker that was started later')
  t.same(others.filter(([, policy]) => policy !== 0), [], 'no other one')
})

t.test('who may not does without', async (t) => {
  const prefix = may ? ['setpriv', '--bounding-set=-sys_nice'] : []
  t.match(tried('useRealtime(2)', prefix), { said: false, ours: NONE })
  t.match(tried('attempt()', prefix), { said: { code: 'EPERM', errno: -1, syscall: 'sched_setscheduler' }, ours: NONE })
})

t.test('on one CPU others would have none of it', async (t) => {
  t.match(tried('useRealtime(1)'), { said: false, ours: NONE })
  t.match(tried('useRealtime()', ['taskset', '1']), { said: false, ours: NONE }, 'counted by what we may use')
})
