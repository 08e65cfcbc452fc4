import t from 'tap'
import { table } from '../../src/cli/table.ts'

t.test('text is aligned to the left, numbers to the right', async (t) => {
  const rows = [['NAME', 'WHERE', 'COUNT'], ['a', 'eth0', '7'], ['longer', '', '1234567']]
  t.equal(table(rows, { left: 2 }), 'NAME    WHERE    COUNT\na       eth0         7\nlonger         1234567\n')
  t.equal(table(rows, { indent: '  ' }), '  NAME    WHERE    COUNT\n  a        eth0        7\n  longer         1234567\n')
  t.equal(table([['alone', '']], { left: 2 }), 'alone\n', 'no blanks at the end of a line')
})
