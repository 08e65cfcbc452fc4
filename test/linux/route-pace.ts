import t from 'tap'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { routeBacklog, RoutePace } from '../../src/linux/route-pace.ts'

const MOST = 64 * 1024
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

t.test('the kernel\'s list: the slowest of those who listen to IPv6 routes', async (t) => {
  const list = join(t.testdir(), 'netlink')
  const backlog = (...rows: string[]): number => {
    writeFileSync(list, ['sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode', ...rows, ''].join('\n'))
    return routeBacklog(list)
  }
  const listener = '00000000973eddc0 0   5032       00000400 128000   0        0     2        0        7239451 '
  t.equal(backlog(), 0, 'nobody')
  t.equal(backlog(listener), 128000)
  t.equal(backlog(listener.replace('128000', '0     '), listener.replace('5032      ', '2793573649').replace('00000400', 'fffffffe'),
    listener.replace('128000', '1280  ')), 128000, 'several, and several groups')
  t.equal(backlog(listener.replace('00000400', '000002bf')), 0, 'of other groups')
  t.equal(backlog(listener.replace(' 0 ', ' 4 ')), 0, 'of another protocol')
  t.equal(routeBacklog(join(list, 'none')), Infinity)
  t.ok(Number.isFinite(routeBacklog()), 'the real one')
})

t.test('a burst, and the next as soon as everybody has room', async (t) => {
  let backlog = MOST
  let looks = 0
  const pace = new RoutePace(() => { looks++; return backlog })
  t.equal(pace.take(20), 20)
  t.equal(pace.take(30), 30)
  t.equal(looks, 1, 'one look for each burst')
  backlog++
  t.equal(pace.take(1), 0)
  backlog--
  t.equal(pace.take(10_000), 50)
  t.equal(pace.take(10_000), 50)
  backlog++
  t.equal(pace.take(10_000), 0)
})

t.test('who does not read at all is not waited for again and again', async (t) => {
  let backlog = Infinity
  const pace = new RoutePace(() => backlog)
  const wait = async (): Promise<number> => {
    const start = performance.now()
    while (pace.take(50) === 0) await sleep(1)
    return performance.now() - start
  }
  t.ok(await wait() >= 99)
  const start = performance.now()
  for (let i = 0; i < 10; i++) await wait()
  t.ok(performance.now() - start < 90, 'a burst each millisecond or two')
  backlog = 0
  for (let i = 0; i < 10; i++) await wait()
  backlog = Infinity
  t.ok(await wait() >= 99, 'when it has read a while, it gets its time again')
})

t.test('who reads now and then only is not waited for again and again', async (t) => {
  let backlog = 0
  const pace = new RoutePace(() => backlog)
  const start = performance.now()
  for (let i = 0; i < 40; i++) {
    backlog = Infinity
    const late = setTimeout(() => { backlog = 0 }, 60)
    while (pace.take(50) === 0) await sleep(1)
    clearTimeout(late)
  }
  const took = performance.now() - start
  t.ok(took < 1200, `40 bursts in ${Math.round(took)} ms, not in 2400`)
})
