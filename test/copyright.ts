import t from 'tap'
import { readFileSync } from 'node:fs'

const copyright = readFileSync('debian/copyright', 'utf8')

t.test('debian/copyright names each bundled package, with its license', (t) => {
  // esbuild writes the path of each source into the bundle.
  const paths = readFileSync('dist/main.cjs', 'utf8').matchAll(/node_modules\/((?:@[^/"\s]+\/)?[^/"\s]+)\//g)
  const names = [...new Set([...paths].map(([, name]) => name))].sort()
  t.ok(names.includes('pino') && names.includes('yargs') && names.length > 20, `${names.length} packages`)
  const named = /^Files: dist\/main\.cjs\n([^]*?)\n\n/m.exec(copyright)?.[1] ?? ''
  const [, isc, apache] = /ISC: ([^.]*)\. Apache-2\.0: ([^.]*)\./.exec(named)?.map((list) => list.split(', ')) ?? []
  for (const name of names) {
    const { license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { license: string }
    t.equal(license, isc.includes(name) ? 'ISC' : apache.includes(name) ? 'Apache-2.0' : 'MIT', name)
    t.match(named, new RegExp(`[(,] ?${name}[,)]`))
  }
  t.end()
})
