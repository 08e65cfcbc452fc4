/**
 * A guest claims thousands of addresses, each with another link-layer address, and goes on (RFC 6583, RFC 3756 4.3.2): hosts that were
 * there before stay, and new ones on the guest's own bridge are served.
 */
import t from 'tap'
import { na, nthMac } from '../kit/frames.ts'
import { chance } from '../engine/kit/stage.ts'
import {
  CONFIG, ETH0, ETH1, Frame, macOf, numbers, type Port, ROUTER, type Segment, story, type Story, textOf, vmAddress, World,
} from './kit/story.ts'

/** Claims per second. */
const RATE = 200
/** The thief's claims reach it within seconds. */
const LIMIT = 512
const KNOWN = numbers(2, 9)
const NEWCOMER = vmAddress(0xa)
/** ifindexes of the ports of the bridge eth1. */
const [THIEF_PORT, OTHER_PORT] = [11, 12]

/** Which probes the thief answers, and whether with the link-layer address that it claimed or each time with another one. */
type Manner = 'first probes' | 'all probes, with ever new MACs' | 'all probes'

class Thief implements Port {
  readonly #segment: Segment
  readonly #stage: Story
  readonly #manner: Manner
  readonly #isPortKnown: boolean
  readonly #macs = new Map<string, string>()
  #claims = 0
  #answers = 0

  constructor(stage: Story, manner: Manner, isPortKnown: boolean) {
    this.#segment = stage.inside
    this.#stage = stage
    this.#manner = manner
    this.#isPortKnown = isPortKnown
    this.#segment.plug(this)
  }

  accepts(): boolean { return true }

  receive({ content: { kind, target, destination, from, source } }: Frame): void {
    const claimed = this.#macs.get(target)
    if (kind !== 'NS' || claimed === undefined || (this.#manner === 'first probes' && destination === target)) return
    const mac = this.#manner === 'all probes' ? claimed : nthMac(1e6 + this.#answers++)
    this.#send(mac, na({ target, from: mac, to: source, toMac: from, flags: 'SO' }))
  }

  /** Claims one address after the other, for ever. */
  claim(): void {
    const [target, mac] = [vmAddress(0x1000 + this.#claims), nthMac(this.#claims++)]
    this.#macs.set(target, mac)
    this.#send(mac, na({ target, from: mac }))
    this.#stage.world.after(1000 / RATE, () => this.claim())
  }

  #send(mac: string, bytes: Uint8Array): void {
    if (this.#isPortKnown) plug(this.#stage, mac, THIEF_PORT)
    this.#segment.send(new Frame(bytes), this)
  }
}

/** The bridge eth1 learns a port. */
function plug({ proxy }: Story, mac: string, port: number): void {
  proxy.tell({ kind: 'station', ifindex: ETH1, mac: macOf(mac), port })
}

/** @returns a story with hosts that have been known for a while */
function established(isPortKnown: boolean, links = 'eth1'): Story {
  const stage = story(new World(chance(1)), CONFIG.replace('eth1', links).replace('host', `limit ${LIMIT}\n host`))
  for (const vm of KNOWN.map((n) => stage.addVm(n))) {
    if (isPortKnown) plug(stage, vm.mac, OTHER_PORT)
    vm.talk(ROUTER)
  }
  stage.world.run(30_000)
  return stage
}

function isKnown({ proxy }: Story, target: string): boolean { return proxy.routes.has(target) }

for (const [manner, isPortKnown] of [['first probes', false], ['all probes, with ever new MACs', false], ['all probes', true]] as const) {
  t.test(`the thief answers ${manner}: a newcomer is known within 5 s, and stays`, async (t) => {
    const stage = established(isPortKnown)
    const { world, proxy } = stage
    const old = KNOWN.map(vmAddress)
    proxy.onEvent = (event) => {
      if (event.kind === 'neighbor' && (event.state === 'FAILED' || event.state === 'GONE') && old.includes(textOf(event.target))) {
        throw new Error(`${textOf(event.target)} is lost: ${event.reason}`)
      }
    }
    new Thief(stage, manner, isPortKnown).claim()
    world.run(10_000)
    const vm = stage.addVm(0xa)
    if (isPortKnown) plug(stage, vm.mac, OTHER_PORT)
    vm.talk(ROUTER)
    world.run(5000)
    t.equal(isKnown(stage, NEWCOMER), true, 'known')
    let lost = 0
    for (let second = 0; second < 10; second++) {
      world.run(1000)
      if (!isKnown(stage, NEWCOMER)) lost++
    }
    t.equal(lost, 0, 'not lost meanwhile')
    t.same(old.filter((target) => !isKnown(stage, target)), [], 'hosts of before')
    t.ok(proxy.owners.length <= LIMIT + 1, `${proxy.owners.length} owners`)
  })
}

t.test('the thief answers all probes, and its port is unknown: newcomers have a share', async (t) => {
  const stage = established(false)
  const { world } = stage
  new Thief(stage, 'all probes', false).claim()
  world.run(10_000)
  stage.addVm(0xa).talk(ROUTER)
  const forward = (): void => {
    stage.proxy.forward(NEWCOMER, ETH0)
    world.after(500, forward)
  }
  forward()
  world.run(1000)
  t.equal(isKnown(stage, NEWCOMER), true, 'known')
  let known = 0
  for (let second = 0; second < 30; second++) {
    world.run(1000)
    if (isKnown(stage, NEWCOMER)) known++
  }
  t.comment(`known at ${known} of 30 looks`)
  t.ok(known >= 10, 'the newcomer is known again after each loss')
  t.same(KNOWN.map(vmAddress).filter((target) => !isKnown(stage, target)), [], 'hosts of before stay')
})

t.test('one link of two: the thief fills neither the other link\'s share nor that of newcomers on its own', async (t) => {
  const stage = established(true, 'eth1 eth2')
  const { world } = stage
  new Thief(stage, 'all probes', true).claim()
  world.run(10_000)
  const vm = stage.addVm(0xa)
  plug(stage, vm.mac, OTHER_PORT)
  vm.talk(ROUTER)
  world.run(5000)
  t.equal(isKnown(stage, NEWCOMER), true, 'known')
  t.same(KNOWN.map(vmAddress).filter((target) => !isKnown(stage, target)), [], 'hosts of before stay')
})
