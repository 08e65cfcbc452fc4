import t from 'tap'
import { table } from '../../src/cli/table.ts'

t.test('text is aligned to the left, numbers to the right', async (t) => {
  const rows = [['NAME', 'WHERE', 'COUNT'], ['a', 'eth0', '7'], ['longer', '', '1234567']]
  t.equal(table(rows, { left: 2 }), 'NAME    WHERE    COUNT\na       eth0         7\nlonger         1234567\n')
  t.equal(table(rows, { indent: '  ' }), '  NAME    WHERE    COUNT\n  a        eth0        7\n  longer         1234567\n')
  t.equal(table([['alone', '']], { left: 2 }), 'alone\n', 'no blanks at the end of a line')
})

t.test('columns on the right are left out until the table fits, and no cell is cut', async (t) => {
  const rows = [['NAME', 'WHERE', 'COUNT'], ['a', 'eth0', '7']]
  t.equal(table(rows, { width: 18 }), 'NAME  WHERE  COUNT\na      eth0      7\n')
  t.equal(table(rows, { width: 17 }), 'NAME  WHERE\na      eth0\n')
  t.equal(table(rows, { width: 2 }), 'NAME\na\n')
})

t.test('cells are colored at their final width', async (t) => {
  const paint = (text: string, row: number, column: number): string => row === 1 && column === 0 ? `<${text}>` : text
  t.equal(table([['NAME', 'N'], ['a', '7']], { paint }), 'NAME  N\n<a   >  7\n')
})
