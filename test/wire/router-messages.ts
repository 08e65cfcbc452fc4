/** Messages of Router Discovery in raw hex, with checksums as in test/fixtures/frames.ts, and the options for name resolution. */
import t from 'tap'
import fc from 'fast-check'
import { Address, formatMac, type Mac, parseMac, Prefix } from '../../src/address.ts'
import {
  decodeDnsOption, decodeRouterMessage, encodeRouterAdvertisement, INFINITY, MAX_ADVERTISEMENT, ROUTER_DROP_REASONS, type RouterAdvertisement,
} from '../../src/wire/router-messages.ts'
import { bytes } from '../fixtures/frames.ts'
import { mutations } from '../property/kit/mutation.ts'

const [HOST, GLOBAL, NOBODY] = ['fe800000000000000000000000000001', '20010db8000000000000000000000001', '00'.repeat(16)]
const [ROUTERS, NODES] = ['ff020000000000000000000000000002', 'ff020000000000000000000000000001']
const LLADDR = '01010200000000 01'

/** @returns a frame from 02:00:00:00:00:01. @param message as hex, with its checksum */
function frame(source: string, message: string, { hop = 'ff', next = '3a', type = '86dd' } = {}): string {
  const isSolicitation = message.startsWith('85')
  const length = bytes(message).length.toString(16).padStart(4, '0')
  return `3333000000 0${isSolicitation ? 2 : 1} 020000000001 ${type} 60000000 ${length} ${next} ${hop} ${source} ${
    isSolicitation ? ROUTERS : NODES} ${message}`
}

const ADVERTISEMENT = `86002c3d 40000708 00000000 00000000 ${LLADDR} 05010000 00000578 030440c0 00015180 00003840 00000000
  20010db8000000000000000000000000`
const MESSAGES: readonly (readonly [id: string, hex: string, expect: string])[] = [
  ['a solicitation', frame(HOST, `85007a2c 00000000 ${LLADDR}`), 'solicitation fe80::1 02:00:00:00:00:01'],
  ['without options', frame(HOST, '85007d36 00000000'), 'solicitation fe80::1 02:00:00:00:00:01'],
  ['without a source', frame(NOBODY, '85007bb8 00000000'), 'solicitation :: 02:00:00:00:00:01'],
  ['from a global address', frame(GLOBAL, '85004dfe 00000000'), 'solicitation 2001:db8::1 02:00:00:00:00:01'],
  ['with a nonce first', frame(HOST, `85009bed 00000000 0e010123 456789ab ${LLADDR}`), 'solicitation fe80::1 02:00:00:00:00:01'],
  ['the link-layer address of a group counts as none', frame(HOST, '850048f9 00000000 01013333 00000001'), 'solicitation fe80::1 02:00:00:00:00:01'],
  ['without a source, but with an address of its link', frame(NOBODY, `850078ae 00000000 ${LLADDR}`), 'options'],
  ['code 1', frame(HOST, '85017d35 00000000'), 'code'],
  ['hop limit 254', frame(HOST, '85007d36 00000000', { hop: 'fe' }), 'hop-limit'],
  ['a wrong checksum', frame(HOST, '85007d37 00000000'), 'checksum'],
  ['from a group', frame('ff0200000000000000000000000000ff', '85000000 00000000'), 'source'],
  ['an option of no length', frame(HOST, '85006f2e 00000000 0e000000 00000000'), 'options'],
  ['an option beyond the end', frame(HOST, '85007a2b 00000000 01020200 00000001'), 'options'],
  ['half an option', frame(HOST, '85007c33 00000000 0101'), 'options'],
  ['four bytes of a solicitation', frame(HOST, '85000000'), 'truncated'],
  ['cut off', frame(HOST, '85007d36 00000000').slice(0, -8), 'truncated'],
  ['an advertisement', frame(HOST, ADVERTISEMENT), 'advertisement fe80::1 02:00:00:00:00:01 1800'],
  ['of no router, with the flags M and O', frame(HOST, '86003b6f 40c00000 00000000 00000000'), 'advertisement fe80::1 02:00:00:00:00:01 0'],
  ['an advertisement from a global address', frame(GLOBAL, '860005ef 40000708 00000000 00000000'), 'source'],
  ['an advertisement without a source', frame(NOBODY, '860033a9 40000708 00000000 00000000'), 'source'],
  ['twelve bytes of an advertisement', frame(HOST, '8600352b 40000708 00000000'), 'truncated'],
  ['a prefix of no length', frame(HOST, '8600321f 40000708 00000000 00000000 03000000 00000000'), 'options'],
  ['half a prefix', frame(HOST, '8600a099 40000708 00000000 00000000 03044000 00015180'), 'options'],
  ['a Neighbor Advertisement', frame(HOST, '88004c6c 00000000 20010db8000000000000000000000002'), 'not-router'],
  ['UDP', frame(HOST, '85007d36 00000000', { next: '11' }), 'not-router'],
  ['IPv4', frame(HOST, '85007d36 00000000', { type: '0800' }), 'not-ipv6'],
]

function decode(frame: Uint8Array, at = 0, length = frame.length, linkHeader = 14, partial = false): string {
  const message = decodeRouterMessage(frame, at, length, linkHeader, partial)
  if (typeof message === 'string') return message
  const { kind, source, mac } = message
  return [kind, source, mac === undefined ? '-' : formatMac(mac), ...message.kind === 'advertisement' ? [message.lifetime] : []].join(' ')
}

t.test('each message: on Ethernet, at any offset in a slab, and without a link header', async (t) => {
  for (const [id, hex, expect] of MESSAGES) {
    const frame = bytes(hex)
    t.equal(decode(frame), expect, id)
    const slab = new Uint8Array(frame.length + 200).fill(0xff)
    slab.set(frame, 101)
    t.equal(decode(slab, 101, frame.length), expect, `${id}, inside a slab`)
  }
  const cooked = (index: number): string => decode(bytes(MESSAGES[index][1]).subarray(14), 0, undefined, 0)
  t.equal(cooked(0), 'solicitation fe80::1 02:00:00:00:00:01', 'cooked: the option has the address')
  t.equal(cooked(1), 'solicitation fe80::1 -', 'cooked, without the option')
})

t.test('each drop reason has a message, and a partial checksum is not verified', async (t) => {
  const words = new Set(MESSAGES.map(([, , expect]) => expect))
  t.same(ROUTER_DROP_REASONS.filter((reason) => !words.has(reason)), [])
  const [, hex] = MESSAGES.find(([, , expect]) => expect === 'checksum')!
  t.equal(decode(bytes(hex), 0, undefined, 14, true), 'solicitation fe80::1 02:00:00:00:00:01')
})

t.test('damaged messages', async () => {
  const frames = MESSAGES.map(([, hex]) => ({ hex }))
  fc.assert(fc.property(mutations(frames, fc.constantFrom(0, 1, 2, 4, 133, 134, 255)), (frame) => {
    for (const linkHeader of [0, 14]) decode(frame, 0, frame.length, linkHeader, true)
  }), { numRuns: 2000 })
})

const OURS = parseMac('02:00:00:00:00:ff')!
const EMPTY: RouterAdvertisement = {
  source: Address.parse('fe80::ff')!, destination: Address.allNodes, to: parseMac('33:33:00:00:00:01')!, lifetime: 1800, mtu: undefined, prefixes: [],
  dns: [],
}

function encode(message: Partial<RouterAdvertisement>, lladdr = OURS, linkHeader = 14): Uint8Array {
  const slab = new Uint8Array(14 + MAX_ADVERTISEMENT + 100).fill(0xff)
  const length = encodeRouterAdvertisement(slab, 50, { ...EMPTY, ...message }, lladdr, linkHeader)
  if (slab.subarray(0, 50).some((byte) => byte !== 0xff)) throw new Error('a byte before it')
  return slab.slice(50, 50 + length)
}

const FROM_US = 'fe8000000000000000000000000000ff'

t.test('advertisements, byte by byte', async (t) => {
  t.same(encode({
    mtu: 1400, dns: [{ kind: 'servers', values: ['2001:db8:ffff::53', 'fd00::53'], lifetime: 1800 },
      { kind: 'domains', values: ['example.net', 'lan'], lifetime: 1800 }],
    prefixes: [{ prefix: Prefix.parse('2001:db8::/64')!, autonomous: true, valid: 86_400, preferred: 14_400 },
      { prefix: Prefix.parse('2001:db8:1::/80')!, autonomous: false, valid: 7200, preferred: 0 }],
  }), bytes(`333300000001 0200000000ff 86dd 60000000 00a8 3a ff ${FROM_US} ${NODES}
    86007f1d 40000708 00000000 00000000 01010200000000ff 05010000 00000578
    03044040 00015180 00003840 00000000 20010db8000000000000000000000000
    03045000 00001c20 00000000 00000000 20010db8000100000000000000000000
    19050000 00000708 20010db8ffff00000000000000000053 fd000000000000000000000000000053
    1f040000 00000708 07 6578616d706c65 03 6e6574 00 03 6c616e 00 000000000000`))
  t.same(encode({ destination: Address.parse('fe80::1')!, to: parseMac('02:00:00:00:00:01')!, lifetime: 0 }), bytes(`
    020000000001 0200000000ff 86dd 60000000 0018 3a ff ${FROM_US} ${HOST}
    860037ab 40000000 00000000 00000000 01010200000000ff`), 'to one host, without a route')
  t.same(encode({ prefixes: [{ prefix: Prefix.parse('fd00::/64')!, autonomous: true, valid: INFINITY, preferred: INFINITY }] }, -1 as Mac, 0), bytes(`
    60000000 0030 3a ff ${FROM_US} ${NODES} 8600f3c3 40000708 00000000 00000000
    03044040 ffffffff ffffffff 00000000 fd000000000000000000000000000000`), 'on a link without link-layer addresses')
})

t.test('several options for name resolution, each with its lifetime', async (t) => {
  const dns = [{ kind: 'servers', values: ['fd00::53'], lifetime: 600 }, { kind: 'servers', values: ['fd00::54'], lifetime: 0 },
    { kind: 'domains', values: ['lan'], lifetime: INFINITY }] as const
  t.same(Buffer.from(encode({ dns }).slice(14 + 40 + 16 + 8)).toString('hex'), `
    19030000 00000258 fd000000000000000000000000000053 19030000 00000000 fd000000000000000000000000000054
    1f020000 ffffffff 03 6c616e 00 000000`.replaceAll(/\s/g, ''))
})

t.test('options that do not fit are left out, and the message is whole', async (t) => {
  const prefixes = Array.from({ length: 100 }, () => ({ prefix: Prefix.parse('fd00::/64')!, autonomous: true, valid: 1, preferred: 1 }))
  const frame = encode({ prefixes, dns: [{ kind: 'servers', values: Array<string>(8).fill('fd00::53'), lifetime: 1800 },
    { kind: 'domains', values: Array<string>(8).fill('example.net'), lifetime: 1800 }] })
  t.ok(frame.length <= 14 + MAX_ADVERTISEMENT)
  t.equal(decode(frame), 'advertisement fe80::ff 02:00:00:00:00:ff 1800')
})

t.test('as many servers and domains are written as fit', async (t) => {
  const values = (count: number): string[] => Array.from({ length: count }, (_, i) => `fd00::${(i + 1).toString(16)}`)
  const prefixes = [{ prefix: Prefix.parse('fd00::/64')!, autonomous: true, valid: 1, preferred: 1 }]
  const option = (dns: RouterAdvertisement['dns']) => {
    const frame = encode({ prefixes, mtu: 1500, dns })
    return decodeDnsOption(frame, 14 + 40 + 16 + 8 + 8 + 32, frame.length)
  }
  t.same(option([{ kind: 'servers', values: values(74), lifetime: 600 }])?.values, values(73))
  t.same(option([{ kind: 'servers', values: values(73), lifetime: 600 }])?.values, values(73))
  const domains = Array.from({ length: 100 }, (_, i) => `example-${i + 100}.net`)
  t.same(option([{ kind: 'domains', values: domains, lifetime: 600 }])?.values, domains.slice(0, 68))
  t.equal(decode(encode({ prefixes, mtu: 1500, dns: [{ kind: 'servers', values: values(73), lifetime: 600 }, { kind: 'domains', values: domains, lifetime: 1 }] })),
    'advertisement fe80::ff 02:00:00:00:00:ff 1800')
})

t.test('options for name resolution', async (t) => {
  const show = (hex: string): string | undefined => {
    const found = decodeDnsOption(bytes(hex), 0, bytes(hex).length)
    return found && `${found.kind} ${found.values.join(' ')} ${found.lifetime}`
  }
  t.equal(show('19030000 00000258 20010db8ffff00000000000000000002'), 'servers 2001:db8:ffff::2 600')
  t.equal(show('19050000 ffffffff fd000000000000000000000000000001 fd000000000000000000000000000002'), `servers fd00::1 fd00::2 ${INFINITY}`)
  t.equal(show('19010000 00000258'), undefined, 'no server')
  t.equal(show('19050000 00000258 20010db8ffff00000000000000000002'), undefined, 'longer than its bytes')
  t.equal(show('1f030000 00000258 04686f6d65 07 6578616d706c65 00 0000'), 'domains home.example 600')
  t.equal(show('1f030000 00000258 036c616e00 04686f6d65 00 0000000000'), 'domains lan home 600')
  t.equal(show('1f020000 00000258 0f6c616e00 000000'), undefined, 'a label beyond the end')
  t.equal(show('1f020000 00000258 c06c616e00 000000'), undefined, 'compression, which RFC 8106 forbids')
  t.equal(show(`1f0a0000 00000258 40 ${'61'.repeat(64)} 00 000000000000`), undefined, 'a label of 64 bytes')
  t.equal(show('03020000 00000258 00000000 00000000'), undefined, 'another option')
  t.equal(show('1900'), undefined, 'two bytes')
})

t.test('servers that no host of another link can reach, and domains that are no host names', async (t) => {
  const show = (hex: string): string | undefined => decodeDnsOption(bytes(hex), 0, bytes(hex).length)?.values.join(' ')
  t.equal(show('19050000 00000258 fe800000000000000000000000000001 fd000000000000000000000000000002'), 'fd00::2', 'link-local')
  t.equal(show('19030000 00000258 00000000000000000000000000000001'), '', 'loopback')
  t.equal(show('19030000 00000258 ff020000000000000000000000000001'), '', 'multicast')
  t.equal(show('1f030000 00000258 041b5b334a00 036c616e00 000000000000'), 'lan', 'an escape sequence')
  t.equal(show('1f030000 00000258 04612e2e6200 036c616e00 000000000000'), 'lan', 'dots in a label')
  t.equal(show('1f020000 00000258 05610a627a2000 00'), '', 'a line feed and a blank')
})
