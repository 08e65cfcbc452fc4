/**
 * Compares each NAME.conf of the fixtures with NAME.json: `config` has one line for each block, host and rule (null after an
 * error); `diagnostics` has one `LINE:COLUMN SEVERITY FRAGMENT` for each diagnostic, with a fragment of its message or hint.
 */
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import type { Config, Settings } from '../../src/config/config.ts'
import { DEFAULTS } from '../../src/config/defaults.ts'
import { parseConfig } from '../../src/config/load.ts'
import { printConfig } from '../../src/config/print.ts'

const HERE = new URL('../../../test/fixtures/config/', import.meta.url)

/** @returns the settings that differ from the defaults */
function changed(settings: Settings): string {
  return Object.entries(settings).filter(([key, value]) => DEFAULTS[key as keyof Settings] !== value)
    .map(([key, value]) => ` ${key}=${value}`).join('')
}

function summary({ forwarding, grace, metrics, proxies, subnets }: Config): string[] {
  const top = [`forwarding=${forwarding} grace=${grace}${metrics ? ` metrics=${metrics.host} ${metrics.port}` : ''}`]
  const blocks = [
    ...subnets.flatMap(({ prefix, upstream, downstream, hosts, exclude, settings }) => [
      `subnet ${prefix} ${upstream} -> ${downstream.join(', ')}${changed(settings)}`,
      ...hosts.map(({ address, iface }) => `  host ${address}${iface === undefined ? '' : ` ${iface}`}`),
      ...exclude.map((part) => `  exclude ${part}`),
    ]),
    ...proxies.flatMap(({ iface, settings, rules }) => [
      `proxy ${iface}${changed(settings)}`,
      ...rules.map((rule) => `  ${rule.prefix} ${rule.kind}`
        + (rule.kind === 'iface' ? ` ${rule.ifaces.join(', ')}${rule.autovia ? ' autovia' : ''}` : '')),
    ]),
  ]
  return [...top.filter((line) => line !== 'forwarding=false grace=10000'), ...blocks]
}

for (const name of readdirSync(HERE).filter((file) => file.endsWith('.conf')).sort()) {
  t.test(name, async (t) => {
    const expected = JSON.parse(readFileSync(new URL(name.replace('.conf', '.json'), HERE), 'utf8')) as
      { config: string[] | null; diagnostics: string[] }
    const { config, diagnostics } = parseConfig(readFileSync(new URL(name, HERE), 'utf8'), name)
    t.same(config === undefined ? null : summary(config), expected.config)
    const found = diagnostics.map((d) => `${d.line}:${d.column} ${d.severity} ${d.message} (${d.hint ?? ''})`)
    for (const [i, line] of expected.diagnostics.entries()) {
      const [, place, fragment] = /^(\S+ \S+) (.+)$/.exec(line)!
      t.ok(found[i]?.startsWith(`${place} `) && found[i].includes(fragment), line, { found })
    }
    t.equal(found.length, expected.diagnostics.length, 'and nothing else', { found })
    if (config === undefined) return
    const again = parseConfig(printConfig(config), 'printed')
    t.same(JSON.parse(JSON.stringify(again.config ?? null)), JSON.parse(JSON.stringify(config)), 'reads back')
  })
}
