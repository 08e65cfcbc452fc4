import t from 'tap'
import { Address, isHostMac, isLinkLocalWord, type Mac, parseMac } from '../src/address.ts'

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

t.test('link-layer addresses of a single host', async (t) => {
  for (const text of ['02:00:00:00:00:01', '00:00:00:00:00:01', 'fe:ff:ff:ff:ff:ff', '52:54:00:12:34:56']) {
    t.ok(isHostMac(parseMac(text)!), text)
  }
  for (const text of ['00:00:00:00:00:00', '01:00:5e:00:00:01', '33:33:00:00:00:01', '03:00:00:00:00:00', 'ff:ff:ff:ff:ff:ff']) {
    t.notOk(isHostMac(parseMac(text)!), text)
  }
  t.notOk(isHostMac(-1 as Mac), 'absent')
})
