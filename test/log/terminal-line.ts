import t from 'tap'
import { terminalLine } from '../../src/log/terminal-line.ts'

t.test('a line on a terminal', async (t) => {
  const time = new Date(2024, 0, 1, 12, 34, 56).getTime()
  const line = (msg: string, fields = {}, level = 30): string => terminalLine({ level, time, msg, fields })
  t.equal(line('found 2001:db8::2 on eth1', { event: 'neighbor', target: '2001:db8::2', subnet: '2001:db8::/64' }), '12:34:56 info  found 2001:db8::2 on eth1\n')
  t.equal(line('a \x1b[31m\nb', {}, 40), '12:34:56 warn  a ?[31m?b\n', 'control characters are replaced')
  t.equal(line('counters', { event: 'counters', counters: { answered: 2 }, links: [1], none: null, n: 1 }),
    '12:34:56 info  counters links=[1] none=null n=1\n')
  t.match(line('failed', { err: { stack: 'Error: why\n    at here' } }, 50), /^12:34:56 error failed\nError: why\n    at /)
  t.equal(line('waiting', { err: { stack: 'why' } }, 20), '12:34:56 debug waiting\n')
})
