import t from 'tap'
import { Address } from '../src/address.ts'

t.test('which addresses a host may have to itself', async (t) => {
  const isGlobal = (text: string): boolean => Address.parse(text)!.isGlobal
  for (const text of ['2001:db8::1', 'fd00::1', '::2', 'fec0::1', '64:ff9b::1']) t.ok(isGlobal(text), text)
  for (const text of ['::', '::1', 'fe80::1', 'febf::1', 'ff02::1', 'ffff::']) t.notOk(isGlobal(text), text)
})
