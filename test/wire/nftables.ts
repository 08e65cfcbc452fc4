/** Compares with messages of nft(8) 1.0.6 for the same table, and with messages written by hand. */
import t from 'tap'
import { readFileSync } from 'node:fs'
import { parseMac, Prefix } from '../../src/address.ts'
import { MessageWriter } from '../../src/wire/netlink-encode.ts'
import { messages } from '../../src/wire/netlink.ts'
import { Batch, NFT_TABLE_F_OWNER, ranges, subtract } from '../../src/wire/nftables.ts'
import { hex } from '../fixtures/fake-kernel.ts'

const merged = (...prefixes: string[]): string[] =>
  ranges(prefixes.map((prefix) => Prefix.parse(prefix)!)).map(({ first, end }) => `${first}-${end ?? ''}`)

t.test('prefixes become ranges with gaps', async (t) => {
  t.strictSame(merged(), [])
  t.strictSame(merged('2001:db8::/64'), ['2001:db8::-2001:db8:0:1::'])
  t.strictSame(merged('2001:db8::5'), ['2001:db8::5-2001:db8::6'])
  t.strictSame(merged('2001:db8:0:1::/64', '2001:db8::/64'), ['2001:db8::-2001:db8:0:2::'], 'adjacent')
  t.strictSame(merged('2001:db8::/64', '2001:db8::/64', '2001:db8::5', '2001:db8::/48'), ['2001:db8::-2001:db8:1::'], 'nested')
  t.strictSame(merged('2001:db8:0:2::/64', '2001:db8::/64'), ['2001:db8::-2001:db8:0:1::', '2001:db8:0:2::-2001:db8:0:3::'], 'apart')
  t.strictSame(merged('::/0'), ['::-'], 'all')
  t.strictSame(merged('ffff::/16', '::/0', '::5'), ['::-'])
  t.strictSame(merged('ffff::/16', 'fffe::/16'), ['fffe::-'], 'up to the last address')
  t.strictSame(merged('2001:db8::ffff:ffff'), ['2001:db8::ffff:ffff-2001:db8::1:0:0'], 'carry')
  t.strictSame(merged('8000::/1', '7fff:ffff:ffff:ffff::/64'), ['7fff:ffff:ffff:ffff::-'], 'words are unsigned')
})

t.test('ranges without others', async (t) => {
  const parsed = (text: string) => ranges(text.split(' ').filter(Boolean).map((prefix) => Prefix.parse(prefix)!))
  const left = (from: string, holes: string): string[] => subtract(parsed(from), parsed(holes)).map(({ first, end }) => `${first}-${end ?? ''}`)
  t.strictSame(left('2001:db8::/64', ''), ['2001:db8::-2001:db8:0:1::'])
  t.strictSame(left('', '2001:db8::/64'), [])
  t.strictSame(left('2001:db8::/64', '2001:db8::/64'), [])
  t.strictSame(left('2001:db8::/64', '2001:db8::/48'), [], 'a wider one')
  t.strictSame(left('2001:db8::/64', '2001:db8:: 2001:db8::8000/113 2001:db8::ffff:ffff:ffff:ffff'),
    ['2001:db8::1-2001:db8::8000', '2001:db8::1:0-2001:db8::ffff:ffff:ffff:ffff'], 'at both ends and between')
  t.strictSame(left('2001:db8::/64 2001:db8:0:2::/64 2001:db8:0:4::/64', '2001:db8:0:1::/64 2001:db8:0:3::/64 2001:db8:0:4::/65'),
    ['2001:db8::-2001:db8:0:1::', '2001:db8:0:2::-2001:db8:0:3::', '2001:db8:0:4:8000::-2001:db8:0:5::'], 'beside them')
  t.strictSame(left('2001:db8::1 2001:db8::3 2001:db8::5', '2001:db8::/126'), ['2001:db8::5-2001:db8::6'], 'over several')
  t.strictSame(left('::/0', 'ffff::/16 ::/16'), ['1::-ffff::'], 'up to the last address')
  t.strictSame(left('::/0', '::/0'), [])
})

t.test('the rule is that of nft', async (t) => {
  const w = new MessageWriter()
  const batch = new Batch(w, 4)
  batch.newDropRule(2, parseMac('02:00:00:00:00:ff'), 'p2', 1)
  const fixture = hex(readFileSync(new URL('../../../test/fixtures/netlink/nft-rule.hex', import.meta.url), 'latin1'))
  const [, rule] = messages(w.bytes)
  t.equal(Buffer.from(w.bytes.subarray(rule.start - 16, rule.end)).toString('hex'), Buffer.from(fixture).toString('hex'))
})

t.test('a batch, byte by byte', async (t) => {
  const w = new MessageWriter()
  const batch = new Batch(w, 1)
  batch.newTable(0)
  batch.deleteTable()
  batch.newTable(NFT_TABLE_F_OWNER)
  batch.newChain('prerouting')
  batch.newSet('p2', 1)
  batch.newElements('p2', ranges([Prefix.parse('2001:db8::/63')!, Prefix.parse('ffff::/16')!]))
  t.equal(batch.end(), 7, 'the end of the batch is not counted: it has no answer')
  const table = '0a00 0100 6e6470366400 0000'
  t.strictSame(Buffer.from(w.bytes).toString('hex'), Buffer.from(hex(`
    14000000 1000 0100 01000000 00000000 0000 000a
    28000000 000a 0104 02000000 00000000 0a00 0000 ${table} 0800 0200 00000000
    20000000 020a 0100 03000000 00000000 0a00 0000 ${table}
    28000000 000a 0104 04000000 00000000 0a00 0000 ${table} 0800 0200 00000002
    58000000 030a 0104 05000000 00000000 0a00 0000 ${table} 0f00 0300 707265726f7574696e6700 00
      0b00 0700 66696c74657200 00 0800 0500 00000001 1400 0480 0800 0100 00000000 0800 0200 fffffed4
    48000000 090a 0104 06000000 00000000 0a00 0000 ${table} 0700 0200 703200 00
      0800 0300 00000004 0800 0400 00000008 0800 0500 00000010 0800 0a00 00000001
    88000000 0c0a 0504 07000000 00000000 0a00 0000 ${table} 0700 0200 703200 00 6000 0380
      1c00 0180 1800 0180 1400 0100 20010db8 00000000 00000000 00000000
      2400 0180 0800 0300 00000001 1800 0180 1400 0100 20010db8 00000002 00000000 00000000
      1c00 0180 1800 0180 1400 0100 ffff0000 00000000 00000000 00000000
    14000000 1100 0100 08000000 00000000 0000 000a`)).toString('hex'))
})

t.test('the rule that logs solicitations of the kernel, byte by byte', async (t) => {
  const w = new MessageWriter()
  const batch = new Batch(w, 8)
  batch.newChain('output')
  batch.newLogRule(58135)
  t.equal(batch.end(), 3)
  const expression = (size: string, name: string): string => `${size}00 0180 ${name}`
  const load = (base: string, offset: string, length: string): string => expression('34', `0c00 0100 7061796c6f616400 2400 0280
    0800 0100 00000001 0800 0200 000000${base} 0800 0300 000000${offset} 0800 0400 000000${length}`)
  t.strictSame(Buffer.from(w.bytes).toString('hex'), Buffer.from(hex(`
    14000000 1000 0100 08000000 00000000 0000 000a
    54000000 030a 0104 09000000 00000000 0a00 0000 0a00 0100 6e6470366400 0000 0b00 0300 6f757470757400 00
      0b00 0700 66696c74657200 00 0800 0500 00000001 1400 0480 0800 0100 00000003 0800 0200 00000000
    74020000 060a 050c 0a000000 00000000 0a00 0000 0a00 0100 6e6470366400 0000 0b00 0200 6f757470757400 00 4802 0480
      ${expression('24', '0900 0100 6d65746100 000000 1400 0280 0800 0200 00000010 0800 0100 00000001')}
      ${expression('2c', '0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000 0c00 0380 0500 0100 3a 000000')}
      ${load('02', '00', '01')}
      ${expression('2c', '0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000 0c00 0380 0500 0100 87 000000')}
      ${load('01', '18', '0d')}
      ${expression('38', `0800 0100 636d7000 2c00 0280 0800 0100 00000001 0800 0200 00000000
        1800 0380 1100 0100 ff020000 00000000 00000001 ff 000000`)}
      ${load('01', '08', '10')}
      ${expression('38', `0800 0100 636d7000 2c00 0280 0800 0100 00000001 0800 0200 00000001
        1800 0380 1400 0100 00000000 00000000 00000000 00000000`)}
      ${load('01', '01', '03')}
      ${expression('44', `0c00 0100 6269747769736500 3400 0280 0800 0100 00000001 0800 0200 00000001 0800 0300 00000003
        0c00 0480 0700 0100 0fffff 00 0c00 0580 0700 0100 000000 00`)}
      ${expression('2c', '0800 0100 636d7000 2000 0280 0800 0100 00000001 0800 0200 00000000 0c00 0380 0700 0100 000000 00')}
      ${expression('18', '0800 0100 6c6f6700 0c00 0280 0600 0100 e317 0000')}
    14000000 1100 0100 0b000000 00000000 0000 000a`)).toString('hex'))
})
