import t, { type Test } from 'tap'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Reading } from '../../src/exporter/catalog.ts'
import { MetricsEndpoint } from '../../src/exporter/endpoint.ts'
import { get } from '../kit/http.ts'
import { ownNamespace } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'

await ownNamespace()

const PORT = 9436
const AT = { host: '::1', port: PORT }

function setup(t: Test, isRoomLeft = () => true, read = (): Reading => ({ ndp6d_groups: [['eth0', 3]] })) {
  const logged: string[] = []
  const log = (level: string) => (_: object, message: string) => { logged.push(`${level} ${message}`) }
  const endpoint = new MetricsEndpoint({ read, isRoomLeft, retry: 20, log: { info: log('info'), warn: log('warn') } })
  t.teardown(() => endpoint.close())
  return { endpoint, logged }
}

const FIRST = `http://[::1]:${PORT}`
const SECOND = `http://127.0.0.1:${PORT + 1}`

const isRefused = (request: Promise<unknown>) => request.then(() => false, () => true)

t.test('the pages', async (t) => {
  const { endpoint, logged } = setup(t)
  t.ok(await isRefused(get(FIRST)), 'nothing is served without a configuration')
  await endpoint.configure(AT)
  t.same(logged, ['info serving metrics at http://[::1]:9436/metrics'])
  t.match(await get(`${FIRST}/metrics`), { status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', text: /^ndp6d_groups{interface="eth0"} 3$/m })
  t.match(await get(`${FIRST}/metrics?x=1`), { status: 200, text: 'ndp6d_groups' })
  t.match(await get(FIRST), { status: 200, text: '/metrics' })
  t.match(await get(`${FIRST}/other`), { status: 404, text: '/metrics' })
  t.match(await get(`${FIRST}/metrics`, 'POST', 'x'), { status: 405 })
  t.match(await get(`${FIRST}/metrics`, 'HEAD'), { status: 200, text: '' })
})

t.test('another configuration', async (t) => {
  const { endpoint } = setup(t)
  await endpoint.configure(AT)
  await endpoint.configure({ host: '127.0.0.1', port: PORT + 1 })
  t.ok(await isRefused(get(FIRST)))
  t.match(await get(`${SECOND}/metrics`), { status: 200 })
  const idle = connect(PORT + 1, '127.0.0.1')
  await once(idle, 'connect')
  await endpoint.configure({ host: '127.0.0.1', port: PORT + 1 })
  t.notOk(idle.closed, 'the same endpoint changes nothing')
  await endpoint.configure(undefined)
  await once(idle, 'close')
  t.ok(await isRefused(get(SECOND)))
  await Promise.all([endpoint.configure(AT), endpoint.configure({ ...AT, port: PORT + 2 })])
  t.ok(await isRefused(get(FIRST)), 'the last configuration counts')
  t.match(await get(`http://[::1]:${PORT + 2}`), { status: 200 })
})

t.test('a port that is taken', async (t) => {
  const { endpoint, logged } = setup(t)
  const other = createServer().listen(PORT, '::1')
  await once(other, 'listening')
  await endpoint.configure(AT)
  t.same(logged, ['warn cannot serve metrics at [::1]:9436: another program listens there (`ss -ltnp` names it): choose another port in '
    + '`metrics`; trying again every 10 s'])
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(logged.length, 1, 'warned once')
  other.close()
  await until(() => logged.length === 2)
  t.match(await get(`${FIRST}/metrics`), { status: 200 }, 'served when the port is free')
})

t.test('an address of another machine', async (t) => {
  const { endpoint, logged } = setup(t)
  await endpoint.configure({ host: '192.0.2.1', port: PORT })
  t.match(logged, ['warn cannot serve metrics at 192.0.2.1:9436: this machine does not have the address'])
  await endpoint.configure(undefined)
  await new Promise((resolve) => setTimeout(resolve, 100))
  t.equal(logged.length, 1, 'not tried any more')
})

t.test('clients never take the last descriptors', async (t) => {
  let isRoomLeft = true
  const { endpoint } = setup(t, () => isRoomLeft)
  await endpoint.configure(AT)
  isRoomLeft = false
  t.ok(await isRefused(get(`${FIRST}/metrics`)))
  isRoomLeft = true
  t.match(await get(`${FIRST}/metrics`), { status: 200 })
})

t.test('values that cannot be read', async (t) => {
  const { endpoint } = setup(t, () => true, () => { throw new Error('no descriptor is left') })
  await endpoint.configure(AT)
  t.match(await get(`${FIRST}/metrics`), { status: 500, text: 'ndp6d: no descriptor is left' })
  t.match(await get(FIRST), { status: 200 }, 'the server goes on')
})
