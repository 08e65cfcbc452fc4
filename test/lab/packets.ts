/** Raw frames on the wire: invalid ones are dropped and counted under their reasons, odd ones are answered. */
import t from 'tap'
import { bytes, type Fixture, FRAMES } from '../fixtures/frames.ts'
import { CONFIG, scene, until, vmAddress } from './kit/scene.ts'

/** Bytes. A frame shorter than an Ethernet header cannot be sent. */
const SHORTEST = 14
const PINNED = CONFIG.replace('}', `    host ${vmAddress(2)} eth1\n}`)

const bytesOf = ({ hex }: Fixture): Uint8Array => bytes(hex)

t.test('invalid frames are not answered, and each is counted under its reason', async (t) => {
  const stage = await scene(t, [2])
  const { router, eth0 } = stage
  const daemon = await stage.start(PINNED)
  const isOurs = ({ expect }: Fixture) => Number(expect === 'own-frame')
  // Frames from our own address last: with them the bridge learns a wrong port for us.
  // The bridge between router and daemon forwards no frame from a group or zero address; test/linux/packet-socket.ts sends these.
  const bad = FRAMES.filter(({ expect }) => expect !== 'valid' && expect !== 'ethernet-source')
    .filter((frame) => bytesOf(frame).length >= SHORTEST).sort((a, b) => isOurs(a) - isOurs(b))
  const before = await daemon.counters()
  const seen = eth0.frames.length
  await router.inject('eth0', bad.map(bytesOf), 2)
  const wanted: Record<string, number> = {}
  for (const { expect } of bad.filter((frame) => !frame.filtered)) wanted[expect] = (wanted[expect] ?? 0) + 1
  const counted = async () => {
    const after = await daemon.counters()
    return Object.fromEntries(Object.keys(wanted).map((reason) => [reason, (after[reason] ?? 0) - (before[reason] ?? 0)]))
  }
  const right = async () => JSON.stringify(await counted()) === JSON.stringify(wanted)
  await until(right).catch(() => {})
  t.same(await counted(), wanted)
  const answers = eth0.frames.slice(seen).filter((frame) => frame.outgoing && frame.kind === 'NA')
  t.same(answers.filter((frame) => frame.target === vmAddress(2)), [], 'no answer')
})

t.test('odd but valid solicitations are answered, each once', async (t) => {
  const stage = await scene(t, [2])
  const { router, eth0 } = stage
  await stage.start(PINNED)
  const odd = FRAMES.filter((frame) => frame.expect === 'valid' && !/^(NA|DAD|to) /.test(`${frame.id} `))
  t.ok(odd.length >= 12)
  const answers = () => eth0.of('NA', vmAddress(2)).filter((frame) => frame.outgoing && frame.destination !== 'ff02::2')
  for (const frame of odd) {
    const before = answers().length
    await router.inject('eth0', [bytesOf(frame)])
    await until(() => answers().length > before).catch(() => {})
    t.equal(answers().length, before + 1, frame.id)
  }
})
