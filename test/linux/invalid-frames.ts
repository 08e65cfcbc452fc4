/** What a packet socket passes on of the invalid frames of a batch. */
import t from 'tap'
import { parseMac } from '../../src/address.ts'
import { PacketSocket } from '../../src/linux/packet-socket.ts'
import { bytes } from '../fixtures/frames.ts'
import { ownNamespace } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { ifindex, makePair, readPackets, Wire } from './kit/links.ts'

await ownNamespace()
makePair()
const wire = new Wire('v1')
t.teardown(() => wire.close())

const HEADER = '3333ff000002 020000000001 86dd 60000000'
const ADDRESSES = '20010db8000000000000000000000001 ff0200000000000000000001ff000002'
const MESSAGE = '87001c27 00000000 20010db8000000000000000000000002'
const VALID = `${HEADER} 00203aff ${ADDRESSES} ${MESSAGE} 0101020000000001`
const hex = (text: string): string => text.replace(/ /g, '')

for (const ring of [false, true]) {
  const how = ring ? 'ring' : 'buffer'
  /** Opens a socket. @returns by reason, the last frame with its length and the offset of the wrong byte; `batches`: batches so far */
  const open = (isCooked = false) => {
    const frames: Record<string, string> = {}
    let batches = 0
    const options = { ifindex: ifindex('v0'), mac: isCooked ? undefined : parseMac('02:00:00:00:00:ff'), promiscuous: true, ring }
    const socket = new PacketSocket(options, { ...readPackets(() => { batches++ }), invalid: ({ reason, slab, at, size, length, wrongAt }) => {
      frames[reason] = `${Buffer.from(slab).toString('hex', at, at + size)} ${length} ${wrongAt}`
    } })
    t.teardown(() => socket.close())
    return { frames, batches: () => batches }
  }

  t.test(`${how}: the last frame of each reason, with the byte that is wrong`, async (t) => {
    const { frames, batches } = open()
    const sent = {
      'hop-limit': [VALID.replace('00203aff', '00203a01'), 21],
      'checksum': [VALID.replace('0101020000000001', '0101020000000005'), 56],
      'other-host': [VALID.replace('3333ff000002', '020000000077'), 0],
      'ethernet-source': [VALID.replace('020000000001 86dd', '333300000001 86dd'), 6],
      'own-frame': [VALID.replace('020000000001 86dd', '0200000000ff 86dd'), -1],
    } as const
    for (const frame of [VALID.replace('00203aff', '00203a40'), VALID, ...Object.values(sent).map(([text]) => text), VALID]) wire.send(bytes(frame))
    await until(() => batches() === 8)
    t.strictSame(frames, Object.fromEntries(Object.entries(sent).map(([reason, [text, wrongAt]]) => [reason, `${hex(text)} 86 ${wrongAt}`])))
    wire.send(bytes(VALID.replace('00203aff', '00203a3f')))
    await until(() => batches() === 9)
    t.match(frames['hop-limit'], /^3333ff0.*3a3f.* 86 21$/, 'the next batch')
  })

  t.test(`${how}: without Ethernet header`, async (t) => {
    const { frames, batches } = open(true)
    const frame = VALID.replace('00203aff', '00203afe')
    wire.send(bytes(frame))
    await until(() => batches() === 1)
    t.strictSame(frames, { 'hop-limit': `${hex(frame).slice(28)} 72 7` })
  })

  t.test(`${how}: no more than 256 bytes of a frame`, async (t) => {
    const { frames, batches } = open()
    // An option of 376 bytes: the frame is longer than what is read of one. No byte of it is wrong or missing.
    const frame = `${HEADER} 01903a40 ${ADDRESSES} ${MESSAGE} fe2f${'00'.repeat(374)}`
    wire.send(bytes(frame))
    wire.send(bytes(frame.replace('01903a40', '00883a40')))
    await until(() => batches() === 2)
    t.strictSame(frames, { 'truncated': `${hex(frame).slice(0, 512)} 454 -1`,
      'hop-limit': `${hex(frame.replace('01903a40', '00883a40')).slice(0, 512)} 454 21` })
  })
}
