import t from 'tap'
import { Address, isLinkLocalWord } from '../src/address.ts'

t.test('global addresses', async (t) => {
  const isGlobal = (text: string): boolean => Address.parse(text)!.isGlobal
  for (const text of ['2001:db8::1', 'fd00::1', '::2', 'fec0::1', '64:ff9b::1']) t.ok(isGlobal(text), text)
  for (const text of ['::', '::1', 'fe80::1', 'febf::1', 'ff02::1', 'ffff::']) t.notOk(isGlobal(text), text)
})

t.test('link-local, by the whole address and by its first word (RFC 4291 2.5.6)', async (t) => {
  for (const [text, expected] of [['fe80::1', true], ['febf:ffff::1', true], ['fec0::1', false], ['fe7f::1', false]] as const) {
    const address = Address.parse(text)!
    t.strictSame([address.isLinkLocal, isLinkLocalWord(address.w0)], [expected, expected], text)
  }
  t.same([String(Address.allNodes), String(Address.allRouters)], ['ff02::1', 'ff02::2'])
})
