import t from 'tap'
import { writeFiles } from '../fixtures/program.ts'
import { hasNetAdmin } from '../../src/linux/capabilities.ts'

t.test('CAP_NET_ADMIN among the effective capabilities', (t) => {
  const files = writeFiles({
    both: 'Name:\tndp6d\nCapPrm:\t0000000000003000\nCapEff:\t0000000000003000\n', all: 'CapEff:\t000001ffffffffff\n',
    raw: 'CapPrm:\t0000000000003000\nCapEff:\t0000000000002000\n', none: 'CapEff:\t0000000000000000\n', other: 'Name:\tndp6d\n',
  })
  t.teardown(files.close)
  t.strictSame(['both', 'all', 'raw', 'none', 'other', 'missing'].map((name) => hasNetAdmin(files.path(name))), [true, true, false, false, true, true])
  t.end()
})
