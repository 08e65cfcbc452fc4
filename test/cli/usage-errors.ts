/** Wrong command lines: one sentence for each mistake, and status 2. */
import t from 'tap'
import { ndp6d } from '../fixtures/program.ts'

const FOREGROUND = '`-d` of ndppd is not needed: ndp6d stays in the foreground, and `systemctl enable --now ndp6d` runs it in the background'
const PID = '`-p FILE` of ndppd is not needed: there is no pid file, `systemctl status ndp6d` shows the process'
const LEVEL = '`-v` of ndppd is `--level debug`; `journalctl -u ndp6d` shows the log of the service'

const CASES: readonly (readonly [string, ...string[]])[] = [
  ['chek', 'unknown command "chek": did you mean `ndp6d check`?'],
  ['stauts --json', 'unknown command "stauts": did you mean `ndp6d status`?'],
  ['/etc/other.conf', 'unexpected "/etc/other.conf": did you mean `ndp6d --config /etc/other.conf`?'],
  ['check a b', 'unexpected "b": `ndp6d check --help` shows what it takes'],
  ['check --prnt', 'unknown option --prnt: did you mean --print?'],
  ['status --jsn', 'unknown option --jsn: did you mean --json?'],
  ['reload --dry-rn', 'unknown option --dry-rn: did you mean --dry-run?'],
  ['doctor --stirct', 'unknown option --stirct: did you mean --strict?'],
  ['log-level debug --josn', 'unknown option --josn: did you mean --json?'],
  ['log-level loud', '"loud" is not a value of LEVEL: expected error, warn, info, debug'],
  ['report --plian', 'unknown option --plian: did you mean --plain?'],
  ['monitor --taget ::1', 'unknown option --taget: did you mean --target?'],
  ['metrics --wirte x', 'unknown option --wirte: did you mean --write?'],
  ['reload --try 5s --confirm', '`--dry-run`, `--try` and `--confirm` exclude each other'],
  ['reload --try 5', '`--try 5` is no time: expected one from 1s to 24h, like 60s or 5m'],
  ['metrics --json --write x', '`--json` and `--write` exclude each other'],
  ['monitor --count 0', '--count takes a whole number above 0'],
  ['--confg x', 'unknown option --confg: did you mean --config?'],
  ['--lvel=debug', 'unknown option --lvel: did you mean --level?'],
  ['--hepl', 'unknown option --hepl: did you mean --help?'],
  ['--constructor', 'unknown option --constructor'],
  ['--control toString explain', '`ndp6d explain` needs ADDRESS: `ndp6d explain --help` shows what it takes'],
  ['-x', 'unknown option -x'],
  ['-h', 'unknown option -h: did you mean --help?'], ['-V', 'unknown option -V: did you mean --version?'],
  ['status -j', 'unknown option -j: did you mean --json?'],
  ['check -c x', 'unknown option -c: `ndp6d check FILE` takes the file without an option'],
  ['check --config x', 'unknown option --config: `ndp6d check FILE` takes the file without an option'],
  ['explain', '`ndp6d explain` needs ADDRESS: `ndp6d explain --help` shows what it takes'],
  ['explain -p ::1', 'unknown option -p: did you mean --probe?'],
  ['--config', 'option --config has no value: expected one after it'],
  ['--level loud', '"loud" is not a value of --level: expected error, warn, info, debug'],
  ['-c /etc/ndppd.conf -d -p /run/ndppd.pid', FOREGROUND, PID],
  ['-d', FOREGROUND], ['--daemon', FOREGROUND], ['-p/run/x', PID], ['-vvv', LEVEL], ['--verbose', LEVEL],
  ['-dvp /run/x', FOREGROUND, LEVEL, PID],
]

for (const [line, ...sentences] of CASES) {
  t.test(line, async (t) => {
    const { status, stdout, stderr } = ndp6d(...line.split(' '))
    t.equal(status, 2)
    t.equal(stdout, '')
    t.equal(stderr, `${sentences.map((sentence) => `ndp6d: ${sentence}\n`).join('')}Try \`ndp6d --help\`.\n`)
  })
}

t.test('a word without a likely meaning', async (t) => {
  t.match(ndp6d('frobnicate'), { status: 2, stderr: /^ndp6d: unexpected "frobnicate": commands are check, / })
})
