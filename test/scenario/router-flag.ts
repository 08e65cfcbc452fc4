/** The router flag (R) is no right to an address: any machine that forwards sets it. */
import t from 'tap'
import { na, ns } from '../kit/frames.ts'
import { inBoth, type Node, type Testbed } from './kit/testbed.ts'
import { vmAddress } from './kit/story.ts'

/** When the router moves: while the proxy runs, before it reads its configuration again, or while it is down. */
const MOVES: Readonly<Record<string, (bed: Testbed, move: () => Promise<unknown>) => Promise<unknown>>> = {
  'at any time': (_bed, move) => move(),
  async 'before a reload'(bed, move) {
    await move()
    bed.reload()
  },
  async 'during a restart'(bed, move) {
    let moved: Promise<unknown> | undefined
    await bed.restart('stopped', () => { moved = move() })
    await moved
  },
}

for (const [when, play] of Object.entries(MOVES)) {
  inBoth(t, `a router beside ours that moves inside ${when} is found there`, async (t, world) => {
    const bed = await world.create(t)
    const vm = await bed.addVm(2)
    const mover = await bed.addRouter(8)
    await bed.start()
    t.equal(await vm.reaches(vmAddress(8)), true, 'known upstream')
    await play(bed, () => bed.migrate(mover, vmAddress(8)))
    let isReached = false
    for (let i = 0; i < 30 && !isReached; i++) isReached = await bed.server.reaches(vmAddress(8), 1000)
    t.ok(isReached)
    t.ok(bed.routes().includes(`${vmAddress(8)} eth1`))
    t.same(bed.conflicts(vmAddress(8)), [], 'no other host answered')
  })
}

/** Makes the proxy know an owner upstream, by a forged solicitation and forged answers with R=1. */
async function pretend(bed: Testbed, liar: Node, target: string): Promise<void> {
  const { mac: toMac, linkLocal: to } = bed.proxyOn('eth0')
  await liar.inject([ns({ from: liar.mac, source: target, target: vmAddress(0x99) })])
  await liar.inject(Array<Uint8Array>(40).fill(na({ from: liar.mac, target, to, toMac, flags: 'RSO' })), 10)
}

inBoth(t, 'an address of which a router answered once goes to the guest that takes it', async (t, world) => {
  const bed = await world.create(t)
  const guest = await bed.addVm(2)
  await bed.start()
  const liar = await bed.addHost(8, 'eth0')
  await pretend(bed, liar, vmAddress(0x77))
  t.equal(await guest.claim(vmAddress(0x77)), 'valid')
  await bed.until(() => bed.routes().includes(`${vmAddress(0x77)} eth1`))
  t.equal(await bed.server.reaches(vmAddress(0x77)), true)
  t.same(bed.conflicts(vmAddress(0x77)), [], 'no owner answered')
})
