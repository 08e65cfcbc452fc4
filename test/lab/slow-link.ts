/** A burst of solicitations on a slow link: each is answered, as the link takes the answers (tc-tbf(8)). */
import t from 'tap'
import { ns } from '../kit/frames.ts'
import { CONFIG, scene, until, vmAddress } from './kit/scene.ts'

const BURST = 1000

t.test(`a burst of ${BURST} on an upstream of 1 Mbit/s`, async (t) => {
  const stage = await scene(t, [2])
  const { proxy, router, eth0 } = stage
  const target = vmAddress(2)
  const daemon = await stage.start(CONFIG.replace('}', `    host ${target} eth1\n}`))
  proxy.exec('tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'tbf', 'rate', '1mbit', 'burst', '2kb', 'limit', '1mb')
  const frame = ns({ target, from: router.mac('eth0'), source: router.linkLocal('eth0') })
  await router.inject('eth0', Array<Uint8Array>(BURST).fill(frame))
  const answers = () => eth0.of('NA', target).filter(({ outgoing, flags }) => outgoing && flags.includes('S')).length
  await until(() => answers() >= BURST).catch(() => {})
  t.equal(answers(), BURST)
  t.equal(await daemon.stop(), 0)
})
