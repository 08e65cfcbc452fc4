/**
 * The npm archive: installed without a compiler, with install scripts and without them, it runs the story on each Node. `npm run deb` builds
 * it; without one there is nothing to test.
 */
import t from 'tap'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { enterNamespaces } from '../kit/namespace.ts'
import { until } from '../kit/until.ts'
import { Lab } from './kit/lab.ts'
import { ROOT } from './kit/systemd.ts'
import { buildTopology, CONFIG, vmAddress } from './kit/topology.ts'

await enterNamespaces()

const { version, engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string; engines: { node: string } }
const ARCHIVE = join(ROOT, 'build', 'deb', `ndp6d-${version}.tgz`)
const NODES = join(ROOT, 'build', 'node')
const SUPPORTED = engines.node.split('||').map((range) => /\d+/.exec(range)![0])

function which(program: string): string { return realpathSync(execFileSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' }).trim()) }

if (!existsSync(ARCHIVE)) t.pass('no archive: `npm run deb` builds it')
else t.test('the npm archive', async (t) => {
  const lab = Lab.create()
  t.teardown(() => lab.close())
  const { server, proxy } = await buildTopology(lab, [2])
  const config = join(lab.directory, 'ndp6d.conf')
  writeFileSync(config, CONFIG)
  const npm = which('npm')
  for (const [i, major] of SUPPORTED.entries()) {
    const prefix = join(lab.directory, major)
    mkdirSync(join(prefix, 'tools'), { recursive: true })
    symlinkSync(join(NODES, major, 'bin', 'node'), join(prefix, 'tools', 'node'))
    for (const tool of ['sh', 'env']) symlinkSync(which(tool), join(prefix, 'tools', tool))
    // No compiler is among these programs.
    const env = ['-i', `PATH=${join(prefix, 'bin')}:${join(prefix, 'tools')}`, `HOME=${prefix}`]
    const flags = i % 2 === 0 ? ['--ignore-scripts'] : []
    const { status, stderr } = spawnSync('/usr/bin/env', [...env, 'node', npm, 'install', '--global', `--prefix=${prefix}`, '--offline', '--no-audit',
      '--no-fund', ...flags, ARCHIVE], { encoding: 'utf8' })
    t.equal(status, 0, `Node ${major}: npm install ${flags.join()} ${stderr}`)
    t.same(readdirSync(join(prefix, 'lib', 'node_modules')), ['ndp6d'], 'no other package')
    const daemon = proxy.spawn(['/usr/bin/env', ...env, 'ndp6d', '--config', config, '--state', '', '--log', 'json'])
    await daemon.line(/"ready, with/)
    // The router knows the host from the round before, so nothing is solicited until a packet came in vain.
    t.ok(await until(() => server.reaches(vmAddress(2), 500)), 'the story')
    t.equal(await daemon.stop(), 0)
  }
})
