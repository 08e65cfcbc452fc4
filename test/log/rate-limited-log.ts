/** How the log sums up what repeats. */
import t from 'tap'
import { recorder } from './kit/recorder.ts'

const CONFLICT = { event: 'conflict', target: '2001:db8::2', iface: 'eth0', lladdr: '52:54:00:00:00:99', reason: 'answered' } as const

t.test('a cause has one record a minute', async (t) => {
  const { log, at, take } = recorder()
  log.warn(CONFLICT, 'a claim')
  t.match(take(), [{ level: 40, ...CONFLICT, msg: 'a claim' }], 'the first one at once')
  for (let second = 1; second <= 59; second++) {
    at(second)
    log.warn(CONFLICT, `claim ${second}`)
  }
  t.same(take(), [])
  at(60)
  log.tick()
  t.match(take(), [{ count: 59, msg: 'claim 59 (58 more like this in 60 s)' }], 'the sum has the last text')
  at(61)
  log.warn(CONFLICT, 'a claim')
  t.same(take(), [], 'counted again after the sum')
  at(120)
  log.info({ event: 'reload' }, 'reloaded')
  log.error({ event: 'start-failed', reason: 'EPERM' }, 'another problem')
  t.match(take(), [{ msg: 'reloaded' }, { count: 1, msg: 'a claim' }, { level: 50 }], 'a problem writes the sums that are due')
  at(180)
  log.tick()
  t.same(take(), [], 'no sum of zero')
  at(181)
  log.warn(CONFLICT, 'a claim')
  t.equal(take().length, 1, 'at once after a quiet minute')
})

t.test('an event has ten causes a minute, and the others share a record', async (t) => {
  const { log, at, take } = recorder()
  const claim = (n: number) => log.warn({ ...CONFLICT, target: `2001:db8::${n}` }, `claim of ${n}`)
  for (let n = 1; n <= 1000; n++) claim(n)
  log.warn({ event: 'foreign', target: '2001:db8::1', iface: 'eth1' }, 'another event')
  t.same(take().map(({ msg }) => msg), [...Array.from({ length: 10 }, (_, i) => `claim of ${i + 1}`), 'another event'])
  at(5)
  log.tick()
  t.match(take(), [{ count: 990, msg: 'claim of 1000 (989 more like this in 5 s)', target: '2001:db8::1000' }])
  for (let second = 6; second < 65; second++) {
    at(second)
    for (let n = 100; n < 120; n++) claim(n)
  }
  t.ok(take().length <= 10, 'the others are counted')
  for (let minute = 2; minute < 10; minute++) {
    for (let second = 0; second < 60; second++) {
      at(60 * minute + second)
      for (let n = 0; n < 100; n++) claim(n)
    }
    t.ok(take().length <= 11, `at most eleven records in minute ${minute}`)
  }
  t.ok(log.limits[0].used <= 11)
  at(700)
  for (let i = 0; i < 3; i++) {
    at(700 + 100 * i)
    log.tick()
  }
  t.match(log.limits, [{ used: 0 }], 'all are forgotten')
})

t.test('a count adds up, and the text has it', async (t) => {
  const { log, at, take } = recorder()
  const lost = (count: number) => log.warn({ event: 'overrun', iface: 'eth0', count },
    (sum) => sum === undefined ? `${count} dropped` : `${sum.count} dropped in ${sum.seconds} s`)
  lost(7)
  at(30)
  lost(10)
  lost(20)
  at(60)
  log.tick()
  t.match(take(), [{ count: 7, msg: '7 dropped' }, { count: 30, msg: '30 dropped in 60 s' }])
})

t.test('news of one kind have fifteen lines a minute, at debug all', async (t) => {
  for (const level of ['info', 'debug'] as const) {
    const { log, at, take } = recorder(level)
    for (let n = 1; n <= 300; n++) log.news('found', { event: 'neighbor', target: `2001:db8::${n}` }, `found ${n}`)
    log.news('lost', { event: 'neighbor' }, 'lost 1')
    const records = take()
    t.equal(records.filter((each) => each.level === 30).length, 16)
    t.equal(records.filter((each) => each.level === 20).length, level === 'debug' ? 285 : 0)
    at(5)
    log.tick()
    t.match(take(), [{ level: 30, count: 285, msg: 'found 300 (284 more like this in 5 s)' }])
  }
  const { log, take } = recorder()
  for (let n = 1; n <= 3; n++) log.news('flap', { event: 'link', iface: 'eth1' }, `flap ${n}`, 'eth1')
  t.same(take().map(({ msg }) => msg), ['flap 1'], 'once a minute with a cause')
  log.flush()
  t.match(take(), [{ msg: 'flap 3 (1 more like this in 1 s)' }], 'nothing is lost at the end')
})

t.test('nothing is counted or made below the level', async (t) => {
  const { log, take } = recorder('error')
  const text = (): string => { throw new Error('text is made') }
  log.warn(CONFLICT, text)
  log.news('found', {}, text)
  log.error({ event: 'start-failed', reason: 'EPERM' }, 'failed')
  t.match(take(), [{ level: 50, msg: 'failed' }])
  log.level = 'info'
  log.warn(CONFLICT, 'a claim')
  t.equal(log.level, 'info')
  t.match(take(), [{ level: 40 }], 'the level may change')
})
