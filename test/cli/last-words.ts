/** `ndp6d status` without a daemon: the last problem in the journal, if the journal answers. */
import { chmodSync } from 'node:fs'
import t from 'tap'
import { command, run, writeFiles } from '../fixtures/program.ts'

const MESSAGE = '/etc/ndp6d.conf:4:5: error: `upsteam` is not known in a `subnet` block (1 error)'
const record = (message: unknown): string => JSON.stringify({ __CURSOR: 's=1', __REALTIME_TIMESTAMP: '1764389460123456', MESSAGE: message })

/** What journalctl does, in the words of sh(1), and what is shown after the sentence that no daemon runs. */
const JOURNALS: Readonly<Record<string, readonly [script: string, shown: string]>> = {
  'a record': [`cat <<'END'\n${record(MESSAGE)}\nEND`, `Last problem in the journal, 2025-11-29 04:11: ${MESSAGE}\n`],
  'a record that is no text': [`cat <<'END'\n${record([...Buffer.from('eth\x1b0 is down')])}\nEND`, 'Last problem in the journal, 2025-11-29 04:11: eth?0 is down\n'],
  'only of the service, and only problems': [`case "$*" in *_SYSTEMD_UNIT=ndp6d.service*--priority=warning*--lines=1*) ;; *) echo '${record('wrong')}' ;; esac`, ''],
  'no record': ['exit 0', ''],
  'no permission': ['echo "No journal files were opened due to insufficient permissions." >&2; exit 1', ''],
  'another format': ['echo "-- No entries --"', ''],
  'no answer': ['exec sleep 60', ''],
}

for (const [name, [script, shown]] of Object.entries(JOURNALS)) {
  t.test(name, async (t) => {
    const files = writeFiles({ 'bin/journalctl': `#!/bin/sh\n${script}\n` })
    t.teardown(files.close)
    chmodSync(files.path('bin/journalctl'), 0o755)
    const env = { PATH: `${files.path('bin')}:${process.env.PATH}`, TZ: 'UTC' }
    const { status, stderr, stdout } = run(command('status', '--control', files.path('no socket')), env)
    t.equal(status, 3)
    t.equal(stdout, '')
    const [first, ...rest] = stderr.split(/(?<=\n)/)
    t.match(first, /^ndp6d: not running /)
    t.equal(rest.join(''), shown)
    t.match(JSON.parse(run(command('status', '--json', '--control', files.path('no socket')), env).stdout), { running: false, reason: 'not-listening' })
  })
}
