/** `ndp6d cleanup`: after a daemon that was killed, beside one that runs, and without permission. */
import t from 'tap'
import { existsSync } from 'node:fs'
import { command, ndp6d, run, startDaemon, writeFiles } from '../fixtures/program.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'

await ownNamespace()
veth('eth0', 'far0')
sh('ip -6 addr add 2001:db8::ff/64 dev eth0 nodad')
const files = writeFiles({ 'ndp6d.conf': 'forwarding yes\nsubnet 2001:db8::/64 {\n  upstream eth0\n  downstream far0\n  host 2001:db8::5 far0\n}\n' })
t.teardown(files.close)
const state = files.path('state')

const settings = (): string => sh('cd /proc/sys/net/ipv6/conf; cat all/forwarding eth0/accept_ra').trim().replace('\n', ' ')
const cleanup = () => ndp6d('cleanup', '--state', state)

t.test('what a killed daemon left', async (t) => {
  const before = settings()
  const daemon = await startDaemon(t, [files.path('ndp6d.conf'), '--state', state])
  t.match(sh('ip -6 route show proto 136'), '2001:db8::5 dev far0')
  t.equal(settings(), '1 2')
  t.match(cleanup(), { status: 1, stdout: '', stderr: 'ndp6d: a daemon runs in this network namespace: stop it first (`systemctl stop ndp6d`)\n' })
  t.match(sh('ip -6 route show proto 136'), '2001:db8::5 dev far0', 'it goes on')

  await daemon.stop('SIGKILL')
  sh('ip -6 route add 2001:db8::6/128 dev far0 proto 136 metric 16; ip -6 route add 2001:db8::7/128 dev far0 proto static')
  // A table as an old kernel leaves it: without owner.
  sh('nft add table ip6 ndp6d')
  t.ok(existsSync('/run/ndp6d'), 'with its socket')
  t.match(cleanup(), { status: 0, stderr: '', stdout: '2 host routes removed\nnet.ipv6.conf.all.forwarding set from 1 to 0\n'
    + 'net.ipv6.conf.eth0.accept_ra set from 2 to 1\n' })
  t.equal(sh('ip -6 route show proto 136'), '')
  t.match(sh('ip -6 route show 2001:db8::7'), 'proto static', 'a route of another program stays')
  t.equal(sh('nft list ruleset'), '')
  t.equal(settings(), before)
  t.notOk(existsSync('/run/ndp6d'))
  t.match(cleanup(), { status: 0, stdout: 'nothing to remove\n', stderr: '' })
})

t.test('a path that names no socket stays', (t) => {
  t.match(ndp6d('cleanup', '--state', state, '--control', files.path('ndp6d.conf')), { status: 0, stderr: '' })
  t.ok(existsSync(files.path('ndp6d.conf')))
  t.end()
})

t.test('without permission', (t) => {
  t.match(run(['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...command('cleanup')]),
    { status: 4, stdout: '', stderr: 'ndp6d: not permitted to change routes: run this command as root (`sudo ndp6d cleanup`)\n' })
  t.end()
})
