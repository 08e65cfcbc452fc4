/** Beside the fixtures subnet*.conf. */
import t from 'tap'
import { parseConfig } from '../../src/config/load.ts'
import { read } from './kit/subnet.ts'

t.test('links', async (t) => {
  t.match(read('downstream lo eth1').problems, [/^4:12 error `lo`/, /^4:15 warning/])
  t.match(read('downstream tap7 "host" "ttl"\nhost 2001:db8::1 "host"'), { problems: { length: 0 } }, 'a quoted word is never a key')
})

t.test('what a misspelt statement stands for is not reported as missing', async (t) => {
  const problems = (body: string): string[] =>
    parseConfig(`subnet 2001:db8::/64 {\n${body}\n}`, 'x').diagnostics.map((d) => `${d.line}:${d.column} ${d.message}`)
  t.match(problems('upsteam a\ndownstraem b\nhots 2001:db8::2\nlearn no'), [/^2:1 `upsteam`/, /^3:1 `downstraem`/, /^4:1 `hots`/])
  t.equal(problems('upsteam a\ndownstraem b\nhots 2001:db8::2\nlearn no').length, 3)
  t.same(problems('upstream a b').map((each) => each.slice(0, 26)), ['2:12 `b` is a second upstr'])
  t.equal(problems('upsteam a').length, 2, 'the downstream is missing as well')
})
