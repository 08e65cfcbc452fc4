/** What the kernel reports about received Router Advertisements. The bytes are laid out as linux/rtnetlink.h has them. */
import t from 'tap'
import { decodePrefix, decodeUserOption } from '../../src/wire/rtprefix.ts'
import { sole } from '../fixtures/fake-kernel.ts'

t.test('prefixes', async (t) => {
  const show = (message: string) => {
    const decoded = decodePrefix(sole(message))
    return decoded && { ...decoded, prefix: decoded.prefix.toString() }
  }
  const ATTRIBUTES = '14000100 20010db8000000000000000000000000 0c000200 2c010000 58020000'
  t.strictSame(show(`3c000000 3400 0000 00000000 00000000 0a000000 02000000 03 40 03 00 ${ATTRIBUTES}`),
    { ifindex: 2, prefix: '2001:db8::/64', preferred: 300, valid: 600 })
  t.equal(show(`3c000000 3500 0000 00000000 00000000 0a000000 02000000 03 40 03 00 ${ATTRIBUTES}`), undefined, 'another type')
  t.equal(show('30000000 3400 0000 00000000 00000000 0a000000 02000000 03 40 03 00 14000100 20010db8000000000000000000000000'), undefined,
    'without lifetimes')
  t.equal(show('28000000 3400 0000 00000000 00000000 0a000000 02000000 03 40 03 00 0c000200 2c010000 58020000'), undefined, 'without a prefix')
  t.equal(show('18000000 3400 0000 00000000 00000000 0a000000 02000000'), undefined, 'cut off')
})

t.test('options for name resolution', async (t) => {
  const SERVERS = '19030000 00000258 20010db8ffff00000000000000000002'
  t.strictSame(decodeUserOption(sole(`38000000 4400 0000 00000000 00000000 0a00 1800 02000000 86 00 0000 00000000 ${SERVERS}`)),
    { ifindex: 2, option: { kind: 'servers', values: ['2001:db8:ffff::2'], lifetime: 600 } })
  t.equal(decodeUserOption(sole(`38000000 4400 0000 00000000 00000000 0200 1800 02000000 86 00 0000 00000000 ${SERVERS}`)), undefined, 'IPv4')
  t.equal(decodeUserOption(sole(`38000000 4400 0000 00000000 00000000 0a00 1000 02000000 86 00 0000 00000000 ${SERVERS}`)), undefined,
    'an option that is longer than the message says')
  t.equal(decodeUserOption(sole('18000000 4400 0000 00000000 00000000 0a00 1800 02000000')), undefined, 'cut off')
})
