/** A guest on a bridge of the proxy claims one address after the other with ever new link-layer addresses, and answers for each. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { na, nthMac } from '../kit/frames.ts'
import { goodMannersOf, numbers, PINNED, SERVER, twoLinks, until, vmAddress } from './kit/two-links.ts'

const LIMIT = 256
const CLAIMS = 4000
/** Milliseconds between two claims, and from a claim to the answers to the first probe and to the verification a second later. */
const GAP = 5
const ANSWERS = [100, 300, 1200, 1500]

t.test('a new VM on the bridge of the thief is served meanwhile, and the log is short', async (t) => {
  const stage = await twoLinks(t, 'on the proxy')
  const { server, proxy } = stage
  const vm = await stage.addVmOn(0, 2)
  const thief = await stage.addVmOn(0, 3)
  await stage.addVmOn(1, 4)
  const daemon = await stage.start(stage.config(PINNED, `limit ${LIMIT}`))
  t.equal(await vm.reaches(SERVER, 5000), true)
  t.equal(await server.reaches(vmAddress(2), 5000), true)

  const claims = numbers(0x1000, 0x1000 + CLAIMS - 1).map((n) => ({ target: vmAddress(n), from: nthMac(n) }))
  const toProxy = { to: proxy.linkLocal('br1'), toMac: proxy.mac('br1'), flags: 'SO' }
  const theft = Promise.all([thief.inject('eth0', claims.map((claim) => na(claim)), GAP), ...ANSWERS.map(async (delay) => {
    await sleep(delay)
    await thief.inject('eth0', claims.map((claim) => na({ ...claim, ...toProxy })), GAP)
  })])
  let isOver = false
  void theft.then(() => { isOver = true })
  // The share of one link of two.
  await until(() => proxy.show('route show proto 136').length >= 3 * LIMIT / 4)
  await sleep(2000)
  const newcomer = await stage.addVmOn(0, 5)
  t.equal(await newcomer.reaches(SERVER, 5000), true, 'known')
  t.match(await Promise.all([newcomer, vm].map((host) => host.traffic(SERVER, { rate: 100, seconds: 4, patience: 5000 }))),
    [{ lost: 0 }, { lost: 0 }], 'neither it nor the VM of before loses a packet')
  t.equal(isOver, false, 'the thief goes on')
  await theft
  const lines = daemon.records.filter(({ event }) => event === 'neighbor')
  t.ok(lines.some(({ count }) => Number(count) > 100), 'summed up')
  t.ok(lines.length < 200, `${lines.length} lines`)
  goodMannersOf(t, stage)
})
