/** Mistakes of a new administrator: what is typed, the lines that are shown, and the next step in them. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { command, ENV, writeFiles } from '../fixtures/program.ts'
import { ownNamespace, sh, veth } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { Proc } from '../lab/kit/process.ts'

interface Mistake {
  readonly name: string
  /** The command line, and what runs it instead of this Node. */
  readonly typed: string
  readonly as?: (argv: readonly string[]) => readonly string[]
  /** What the machine is like; `t.teardown` undoes it. */
  readonly before?: (t: Test) => unknown
  /** What happens once the daemon serves. */
  readonly later?: () => unknown
  /** Consecutive lines, as printed. */
  readonly shown: readonly string[]
  /** The part of `shown` that is done next: a command, or a text for the configuration. */
  readonly next: string
  /** Exit status; null: the daemon goes on. */
  readonly status: number | null
}

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
/** What packaging/node.sh downloads. */
const NODE_12 = `${ROOT}build/node/12/bin/node`
const GOOD = 'forwarding yes\nsubnet 2001:db8::/64 {\n  upstream eth0\n  downstream eth1\n  host 2001:db8::2 eth1\n}\n'
const FORWARDING = 'this machine does not forward IPv6: packets for answered addresses will be dropped; '
  + 'write `forwarding yes` into the configuration, or run `sysctl -w net.ipv6.conf.all.forwarding=1`'

await ownNamespace()
veth('eth0', 'far0')
veth('eth1', 'far1')

const files = writeFiles({
  'good.conf': GOOD,
  'misspelt.conf': GOOD.replace('downstream', 'downsteam'),
  'transposed.conf': GOOD.replace('host 2001:db8', 'host 2001:8db'),
  'link.conf': GOOD.replace('upstream eth0', 'upstream etho'),
  'plain.conf': GOOD.replace('forwarding yes\n', ''),
  'secret.conf': GOOD,
  'broken.conf': `${GOOD}include guests.conf\n`,
  'guests.d/README': '',
  'empty.conf': `${GOOD}include guests.d/*.conf\n`,
  'length.conf': GOOD.replace('2001:db8::/64', '2001:db8:0:5::'),
  'ndppd.conf': 'proxy eth0 {\n  rule 2001:db8::/64 {\n    static\n  }\n}\n',
  'ndp6d/package.json': readFileSync(`${ROOT}package.json`, 'utf8'),
  'ndp6d/dist/main.cjs': '',
  'old.cjs': "Object.defineProperty(process.versions, 'node', { value: '12.22.12' })",
})
t.teardown(files.close)
copyFileSync(`${ROOT}dist/ndp6d.cjs`, files.path('ndp6d/dist/ndp6d.cjs'))

/** As a user without privileges: root without capabilities is bound by the modes of files. */
const unprivileged = (argv: readonly string[]): readonly string[] => ['setpriv', '--bounding-set', '-all', '--inh-caps', '-all', ...argv]
const sysctl = (value: number) => () => sh(`sysctl -qw net.ipv6.conf.all.forwarding=${value}`)
/** Starts a program that ends with the test. */
async function started(t: Test, argv: readonly string[], line?: RegExp): Promise<void> {
  const program = new Proc(argv, ENV)
  t.teardown(() => program.stop())
  if (line !== undefined) await program.line(line)
}

const MISTAKES: readonly Mistake[] = [
  { name: 'no file', typed: 'ndp6d --config /etc/none.conf', status: 78, next: 'ndp6d init --write /etc/none.conf',
    shown: [`ndp6d: /etc/none.conf does not exist: \`ndp6d init --write /etc/none.conf\` makes it from the links and routes of this machine, an example is ${
      existsSync('/usr/share/doc/ndp6d/examples/ndp6d.conf') ? '/usr/share/doc/ndp6d/examples' : `${ROOT}systemd`
    }/ndp6d.conf; or name another file with \`--config FILE\` or \`check FILE\``] },
  { name: 'misspelt word', typed: 'ndp6d check /etc/misspelt.conf', status: 78, next: 'did you mean `downstream`?',
    shown: ['/etc/misspelt.conf:4:3: error: `downsteam` is not known in a `subnet` block', '    downsteam eth1', '    ^~~~~~~~~', '  hint: did you mean `downstream`?',
      '/etc/misspelt.conf:4:3: error: `downsteam` is not known in a `subnet` block (1 error)'] },
  { name: 'transposed address', typed: 'ndp6d check /etc/transposed.conf', status: 78, next: 'did you mean `2001:db8::2`?',
    shown: ['/etc/transposed.conf:5:8: error: 2001:8db::2 is not inside 2001:db8::/64: expected an address of the subnet', '    host 2001:8db::2 eth1',
      '         ^~~~~~~~~~~', '  hint: did you mean `2001:db8::2`?'] },
  { name: 'wrong interface', typed: 'ndp6d check /etc/link.conf', status: 0, next: 'did you mean `eth0`?',
    shown: ['/etc/link.conf:3:12: warning: no link `etho` on this machine: ndp6d waits for it', '    upstream etho', '             ^~~~',
      '  hint: did you mean `eth0`? links here: far0, eth0, far1, eth1'] },
  { name: 'wrong interface, at the start', typed: 'ndp6d --config /etc/link.conf', status: null, next: 'did you mean `eth0`?',
    shown: ['warn  etho does not exist; waiting for it (did you mean `eth0`? links here: eth0, eth1, far0, far1)'] },
  { name: 'ndppd still running', typed: 'ndp6d --config /etc/good.conf', status: null, next: 'run `kill PID`',
    before: (t) => started(t, existsSync('/usr/sbin/ndppd') ? ['ndppd', '-c', files.path('ndppd.conf')]
      : ['sh', '-c', `cp "$(command -v sleep)" ${files.path('ndppd')} && exec ${files.path('ndppd')} 1000`]),
    shown: ['warn  another ND proxy, ndppd, runs beside ndp6d (process PID): both answer the same solicitations, and it may keep answering for hosts '
      + 'that are gone or have moved; run `kill PID`'] },
  { name: 'forwarding off at the start', typed: 'ndp6d --config /etc/plain.conf', status: null, next: 'sysctl -w net.ipv6.conf.all.forwarding=1',
    before: sysctl(0), shown: [`warn  ${FORWARDING}`] },
  { name: 'forwarding off later', typed: 'ndp6d --config /etc/plain.conf', status: null, next: 'sysctl -w net.ipv6.conf.all.forwarding=1',
    before: sysctl(1), later: sysctl(0), shown: [`warn  ${FORWARDING}`] },
  { name: 'not root', typed: 'ndp6d --config /etc/good.conf', as: unprivileged, status: 4, next: 'run it as root, or as the systemd service',
    shown: ['error not permitted (socket): ndp6d needs CAP_NET_RAW and CAP_NET_ADMIN; run it as root, or as the systemd service'] },
  { name: 'daemon down', typed: 'ndp6d status', status: 3, next: 'systemctl start ndp6d',
    shown: ['ndp6d: not running (no process listens at /run/ndp6d/control.sock): `systemctl start ndp6d` starts it, '
      + '`journalctl -u ndp6d` shows why it ended'] },
  { name: 'unreadable file', typed: 'ndp6d check /etc/secret.conf', as: unprivileged, status: 78, next: 'chmod a+r /etc/secret.conf',
    before: () => sh(`chmod 0600 ${files.path('secret.conf')}; chown 1:1 ${files.path('secret.conf')}`),
    shown: ['ndp6d: this user cannot read /etc/secret.conf: `chmod a+r /etc/secret.conf`, or run as another user'] },
  { name: 'directory instead of a file', typed: 'ndp6d check /etc/guests.d', status: 78, next: 'name a file',
    shown: ['ndp6d: /etc/guests.d is a directory: name a file in it, or write `include /etc/guests.d/*.conf` into a file'] },
  { name: 'broken include', typed: 'ndp6d check /etc/broken.conf', status: 78, next: 'correct the path, create the file, or delete this line',
    shown: ['/etc/broken.conf:7:9: error: `/etc/guests.conf` cannot be read: it does not exist', '  include guests.conf', '          ^~~~~~~~~~~',
      '  hint: correct the path, create the file, or delete this line'] },
  { name: 'unreadable include', typed: 'ndp6d check /etc/broken.conf', as: unprivileged, status: 78, next: 'chmod a+r /etc/guests.conf',
    before: () => sh(`install -m 0600 -o 1 -g 1 /dev/null ${files.path('guests.conf')}`),
    shown: ['/etc/broken.conf:7:9: error: `/etc/guests.conf` cannot be read: this user is not permitted to', '  include guests.conf', '          ^~~~~~~~~~~',
      '  hint: `chmod a+r /etc/guests.conf`, or run as another user'] },
  { name: 'empty include folder', typed: 'ndp6d check /etc/empty.conf', status: 0, next: 'put a file there, or delete this line',
    shown: ['/etc/empty.conf:7:9: warning: `guests.d/*.conf` matches no file: nothing was read', '  include guests.d/*.conf', '          ^~~~~~~~~~~~~~~',
      '  hint: put a file there, or delete this line'] },
  { name: 'no prefix length', typed: 'ndp6d check /etc/length.conf', status: 78, next: 'did you mean `2001:db8:0:5::/64`?',
    shown: ['/etc/length.conf:2:8: error: `2001:db8:0:5::` has no prefix length: expected a prefix like 2001:db8::/64', '  subnet 2001:db8:0:5:: {',
      '         ^~~~~~~~~~~~~~', '  hint: did you mean `2001:db8:0:5::/64`?'] },
  { name: 'old Node', typed: 'ndp6d check', status: 1, next: 'install Node 20.19, 22, 24 or 26',
    as: () => [...existsSync(NODE_12) ? [NODE_12] : [process.execPath, '--require', files.path('old.cjs')],
      files.path('ndp6d/dist/ndp6d.cjs'), 'check'],
    shown: ['ndp6d: Node 12.22.12 (NODE) is too old: install Node 20.19, 22, 24 or 26, for instance from https://nodejs.org, and run ndp6d again'] },
  { name: 'second daemon', typed: 'ndp6d --config /etc/good.conf', status: 1, next: 'stop it, or put both configurations into one file',
    before: (t) => started(t, command('--config', files.path('good.conf')), /\bready\b/),
    shown: ['error another ndp6d runs in this network namespace: stop it, or put both configurations into one file (`include`)'] },
]

/** @returns the lines of a program as everybody sees them: without the time, and without what differs between machines */
function plain(lines: readonly string[]): string[] {
  return lines.map((line) => line.replaceAll(files.path('.'), '/etc').replace(/^\d\d:\d\d:\d\d /, '')
    .replace(/(?<=process |`kill )\d+/g, 'PID').replace(/\([^ ()]*\bnode\)/, '(NODE)'))
}

for (const { name, typed, as = (argv: readonly string[]) => argv, before, later, shown, next, status } of MISTAKES) {
  t.test(name, async (t) => {
    sh('sysctl -qw net.ipv6.conf.all.forwarding=1')
    await before?.(t)
    const args = typed.replace(/\/etc\/(?!none)/g, `${files.path('.')}/`).split(' ').slice(1)
    const program = new Proc(as(command(...args)), { ...ENV, NDP6D_LOG: 'terminal', NO_COLOR: '1' })
    t.teardown(() => program.stop('SIGKILL'))
    if (status === null) {
      await program.line(/\bready\b/)
      await later?.()
      await until(() => plain(program.lines).includes(shown[0])).catch(() => {})
    } else t.equal(await program.exited, status, 'exit status')
    const lines = plain(program.lines)
    const at = Math.max(lines.indexOf(shown[0]), 0)
    t.same(lines.slice(at, at + shown.length), shown)
    t.ok(shown.some((line) => line.includes(next)), 'the next step')
  })
}
