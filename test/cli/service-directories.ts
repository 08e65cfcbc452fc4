import t from 'tap'
import { controlPath, stateDirectory } from '../../src/cli/service-directories.ts'

t.test('the first directory of the list, else the default', (t) => {
  const cases = [['/run/a', '/run/a'], ['/run/a:/run/b', '/run/a'], ['', undefined], [undefined, undefined]] as const
  for (const [paths, path] of cases) {
    t.equal(controlPath({ RUNTIME_DIRECTORY: paths }), `${path ?? '/run/ndp6d'}/control.sock`)
    t.equal(stateDirectory({ STATE_DIRECTORY: paths }), path)
  }
  t.end()
})
