/** Address resolution: entries that are INCOMPLETE, and those that FAILED. */
import t from 'tap'
import { SOLICITOR_LIMIT } from '../../../src/engine/cache/waiting-solicitors.ts'
import { ETH0, ETH1, ETH2, linkOf, own, PATIENT, Stage, twoLinks, VM, VM2 } from '../kit/stage.ts'

t.test('INCOMPLETE: one probe per timeout, then FAILED, then no entry', async (t) => {
  const stage = new Stage(PATIENT)
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`], 'at once')
  t.equal(stage.ns(ETH0, VM), 'probing')
  stage.wait(499)
  t.same(stage.sink.take('solicit'), [], 'another solicitation causes no further probe')
  for (const at of [500, 1000, 1500]) {
    stage.wait(500)
    t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`], `again after ${at} ms`)
  }
  stage.wait(501)
  t.equal(stage.known[VM], 'FAILED -', 'after the timeout of the last probe')
  t.equal(stage.ns(ETH0, VM), 'failed')
  t.same(stage.sink.take('solicit', 'advertise'), [])
  stage.wait(20_000)
  t.equal(stage.known[VM], undefined, 'after deadtime')
  t.equal(stage.ns(ETH0, VM), 'probing', 'from the beginning')
})

t.test('each solicitor is answered once, those beyond the limit are not', async (t) => {
  const stage = new Stage(PATIENT)
  for (let n = 0; n < SOLICITOR_LIMIT; n++) {
    t.equal(stage.ns(ETH0, VM, { source: `fe80::a:${n}` }), 'probing')
    t.equal(stage.ns(ETH0, VM, { source: `fe80::a:${n}` }), 'probing', 'again')
  }
  t.equal(stage.ns(ETH0, VM, { source: 'fe80::b' }), 'limit')
  t.same(stage.sink.take('limit'), [`limit solicitors ${SOLICITOR_LIMIT}`])
  stage.na(ETH1, VM, VM2)
  const answers = stage.sink.take('advertise', 'route')
  t.equal(answers.length, 1 + SOLICITOR_LIMIT)
  t.equal(answers[0], `route add ${VM} eth1`, 'the route first')
  t.equal(new Set(answers).size, answers.length)
})

t.test('a solicitor of a target that failed is not answered later', async (t) => {
  const stage = new Stage(PATIENT)
  stage.ns(ETH0, VM)
  stage.wait(2000)
  t.equal(stage.known[VM], 'FAILED -')
  t.equal(stage.na(ETH1, VM, VM2), 'unsolicited', 'a sign of life')
  t.equal(stage.known[VM], 'INCOMPLETE -', 'ends the negative entry')
  t.equal(stage.na(ETH1, VM, VM2), 'proof')
  t.same(stage.sink.take('advertise'), [])
})

/** A link whose link-local address is in DAD. */
const IN_DAD = linkOf(ETH1, { addresses: [own('fe80::ff:3', 64, true)] })

t.test('a probe waits for a usable address of its link, is sent at once then, and silence does not count before', async (t) => {
  const stage = new Stage(PATIENT.replace('retries 3', 'retries 0'), [twoLinks()[0], IN_DAD])
  t.equal(stage.ns(ETH0, VM), 'probing')
  stage.wait(2400)
  t.same(stage.sink.take('solicit'), [], 'the kernel would refuse it')
  t.equal(stage.known[VM], 'INCOMPLETE -')
  stage.link(linkOf(ETH1))
  t.same(stage.sink.take('solicit'), [`solicit eth1 ${VM}`])
  stage.wait(499)
  t.equal(stage.known[VM], 'INCOMPLETE -', 'the host has the whole timeout')
  stage.wait(2)
  t.equal(stage.known[VM], 'FAILED -')
})

t.test('probes without a usable address end, with a reason of their own', async (t) => {
  const stage = new Stage(PATIENT, [twoLinks()[0], IN_DAD])
  stage.ns(ETH0, VM)
  stage.wait(3999)
  t.equal(stage.known[VM], 'INCOMPLETE -')
  stage.wait(2)
  t.equal(stage.known[VM], 'FAILED -')
  t.match(stage.sink.take('neighbor'), [/INCOMPLETE/, /FAILED.*no address/])
  stage.link(linkOf(ETH1))
  t.equal(stage.ns(ETH0, VM), 'probing', 'its negative entry ends with the address')

  const gone = new Stage(PATIENT, [twoLinks()[0], IN_DAD])
  gone.ns(ETH0, VM)
  gone.gone(ETH1)
  gone.wait(2001)
  t.equal(gone.known[VM], 'FAILED -', 'a link that is gone is not waited for')
})

t.test('a further link that the budget refuses is no answer either', async (t) => {
  const config = PATIENT.replace('downstream eth1', 'downstream eth1 eth2').replace('host', 'probe-limit 8\n host')
  const stage = new Stage(config)
  stage.ns(ETH0, VM)
  for (let n = 0; n < 100; n++) stage.ns(ETH0, `2001:db8::5:${n}`)
  stage.link(linkOf(ETH2))
  stage.sink.take()
  t.equal(stage.ns(ETH0, VM), 'probing')
  t.notOk(stage.sink.take('solicit').includes(`solicit eth2 ${VM}`), 'no budget')
  stage.wait(2001)
  t.ok(stage.sink.take('neighbor').some((line) => line.includes(VM) && line.includes('probe-limit')))
  stage.wait(8000)
  t.equal(stage.ns(ETH0, VM), 'probing', 'not for the whole deadtime')
})
