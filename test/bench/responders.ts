/** The programs that the bench compares, each in a network namespace of its own, started and told apart here. */
import { existsSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Daemon, MAIN } from '../lab/kit/daemon.ts'
import type { Host, Lab } from '../lab/kit/lab.ts'
import type { Proc } from '../lab/kit/process.ts'
import type { ResponderName } from './cases.ts'

/** How a responder is started from its configuration; the kernel has no process. */
type Start = (lab: Lab, host: Host, config: string) => Promise<Proc | undefined>

const STARTS: Readonly<Record<ResponderName, Start>> = {
  ndp6d: async (lab, host, config) => (await new Daemon(lab, host, config).ready()).proc,
  ndppd: (lab, host, config) => start(host, ['ndppd', '-c', write(lab, 'ndppd.conf', config)]),
  npd6: (lab, host, config) => start(host, ['npd6', '-f', '-l', '/dev/null', '-c', write(lab, 'npd6.conf', config)]),
  kernel: async (_lab, host, config) => {
    host.sysctl({ 'conf/eth0/proxy_ndp': 1 })
    host.ip(config)
    return undefined
  },
}

function write(lab: Lab, name: string, config: string): string {
  const path = join(lab.directory, name)
  writeFileSync(path, config)
  return path
}

/** These two never say that they are ready; the load before each measurement takes up the rest of their start. */
async function start(host: Host, argv: readonly string[]): Promise<Proc> {
  const proc = host.spawn(argv)
  await sleep(300)
  if (!proc.running) throw new Error(`${argv.join(' ')} ended:\n${proc.lines.join('\n')}`)
  return proc
}

/** Why a responder cannot take part on this machine; undefined when it can. */
export function missing(name: ResponderName): string | undefined {
  if (name === 'kernel') return undefined
  if (name === 'ndp6d') return existsSync(MAIN) ? undefined : 'not built'
  const found = (process.env.PATH ?? '').split(delimiter).some((directory) => existsSync(join(directory, name)))
  return found ? undefined : 'not installed'
}

/** A responder's namespace and its link to the asker's. */
export class Responder {
  readonly name: ResponderName
  /** The asker's end of the link, for its load. */
  readonly asker: { readonly ifindex: number; readonly mac: string; readonly source: string }
  readonly #lab: Lab
  readonly #host: Host
  #proc: Proc | undefined

  private constructor(lab: Lab, host: Host, name: ResponderName, asker: Responder['asker']) {
    this.name = name
    this.asker = asker
    this.#lab = lab
    this.#host = host
  }

  /** Its namespace: `eth0` to the asker, whose neighbor entry is pinned so that nobody resolves it, and `eth1`. */
  static async create(lab: Lab, asker: Host, name: ResponderName): Promise<Responder> {
    const host = await lab.host(name, { forwarding: true })
    lab.link(asker, name, host, 'eth0')
    const mac = asker.mac(name)
    const source = asker.linkLocal(name)
    host.ip('link add eth1 type veth peer name inside', 'link set eth1 up', 'link set inside up',
      'addr add 2001:db8::ff/64 dev eth0 nodad', `neigh replace ${source} lladdr ${mac} dev eth0 nud permanent`)
    return new Responder(lab, host, name, { ifindex: asker.ifindex(name), mac, source })
  }

  get pid(): number | undefined { return this.#proc?.pid }

  async start(config: string): Promise<void> {
    this.#proc = await STARTS[this.name](this.#lab, this.#host, config)
  }

  /** The kernel's entries stay: they are for the same targets in every case. */
  async stop(): Promise<void> {
    await this.#proc?.stop()
    this.#proc = undefined
  }
}
