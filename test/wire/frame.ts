import t from 'tap'
import { Address, parseMac } from '../../src/address.ts'
import { checkHeaders, multicastMac, writeEthernet, writeIpv6 } from '../../src/wire/frame.ts'
import { bytes } from '../fixtures/frames.ts'

t.test('multicast MAC: 33:33 and the last 32 bits of the group (RFC 2464 7)', async (t) => {
  t.equal(multicastMac(Address.allNodes.w3), parseMac('33:33:00:00:00:01'))
  t.equal(multicastMac(Address.parse('ff02::1:ff12:3456')!.w3), parseMac('33:33:ff:12:34:56'))
})

t.test('headers', async (t) => {
  const slab = new Uint8Array(60).fill(0xa5)
  writeEthernet(slab, 2, { to: parseMac('33:33:00:00:00:01')! }, parseMac('fe:dc:ba:98:76:54')!)
  writeIpv6(slab, 16, Address.parse('fe80::ff')!, 0x1234)
  t.same(slab, bytes(`a5a5 333300000001 fedcba987654 86dd 60000000 12343aff fe8000000000000000000000000000ff ${'a5'.repeat(20)}`))
})

t.test('another next header and hop limit', async (t) => {
  const slab = new Uint8Array(40)
  writeIpv6(slab, 0, Address.parse('fe80::ff')!, 12, 0, 1)
  t.same(slab, bytes(`60000000 000c0001 fe8000000000000000000000000000ff ${'00'.repeat(16)}`))
})

t.test('whole headers, on Ethernet and without', async (t) => {
  const frame = bytes(`333300000001 020000000001 86dd 60${'00'.repeat(39)}`)
  const check = (length: number, linkHeader: number, at = 0) => checkHeaders(frame, at, length, linkHeader)
  t.equal(check(54, 14), undefined)
  t.equal(check(40, 0, 14), undefined)
  t.equal(check(53, 14), 'truncated')
  t.equal(check(39, 0, 14), 'truncated')
  t.equal(check(0, 14), 'truncated')
  t.equal(check(40, 0), 'not-ipv6', 'version')
  frame[13] = 0
  t.equal(check(54, 14), 'not-ipv6', 'ethertype')
})
