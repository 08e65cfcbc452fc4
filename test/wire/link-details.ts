/** Details of links and addresses, in the layout of linux/if_link.h and linux/if_addr.h. */
import t from 'tap'
import { decodeAddressState, decodeLinkDetails } from '../../src/wire/link-details.ts'
import { sole } from '../fixtures/fake-kernel.ts'

const NAME = '0800 0300 62723000'

/** @returns a message about the link `br0` with this IFLA_LINKINFO, of `size` bytes with its header */
function link(info: string, flags = '43100100') {
  const bytes = info.replace(/\s/g, '').length / 2
  const length = (40 + bytes).toString(16).padStart(2, '0')
  return decodeLinkDetails(sole(`${length}000000 1000 0000 00000000 00000000 0000 0100 02000000 ${flags} 00000000 ${NAME} ${info}`))
}

t.test('links', async (t) => {
  const kind = (data: string, size: string) => `${size} 1200 0b00 0100 6272696467650000 ${data}`
  const SNOOPING = '0500 1700 01 000000'
  const bridge = (data: string, size: string, dataSize: string) => link(kind(`${dataSize} 0200 ${data}`, size))?.bridge
  t.same(bridge(SNOOPING, '1c00', '0c00'), { isSnooping: true, hasQuerier: false })
  t.same(bridge(`${SNOOPING} 0500 1900 01 000000`, '2400', '1400'), { isSnooping: true, hasQuerier: true }, 'itself')
  t.same(bridge(`${SNOOPING} 1800 2f80 1400 0500 fe800000000000000000000000000001`, '3400', '2400'), { isSnooping: true, hasQuerier: true },
    'another node')
  t.same(bridge('0500 1700 00 000000', '1c00', '0c00'), { isSnooping: false, hasQuerier: false })
  t.same(bridge('', '1400', '0400'), { isSnooping: false, hasQuerier: false }, 'a kernel that does not say')
  t.match(link('0c00 1200 0800 0100 74756e00'), { name: 'br0', type: 'tun', isEnabled: true, up: true })
  t.notOk('bridge' in link('0c00 1200 0800 0100 74756e00')!)
  t.match(link('', '02100000'), { isEnabled: false, type: undefined })
  t.equal(decodeLinkDetails(sole('20000000 1000 0000 00000000 00000000 00000100 02000000 43100100 00000000')), undefined, 'without a name')
})

t.test('addresses', async (t) => {
  const state = (flags: string, more = '') => decodeAddressState(sole(`${more === '' ? '2c' : '34'}000000 1400 0200 07000000 00000000
    0a40${flags}00 03000000 14000100 20010db80000000000000000000000ff ${more}`))
  t.match(state('80'), { ifindex: 3, prefixLength: 64, isDuplicate: false, tentative: false })
  t.match(state('88'), { isDuplicate: true, tentative: true })
  t.match(state('80', '08000800 88030000'), { isDuplicate: true }, 'of the longer attribute')
  t.equal(decodeAddressState(sole('18000000 1400 0000 00000000 00000000 02180000 01000000')), undefined, 'IPv4')
})
