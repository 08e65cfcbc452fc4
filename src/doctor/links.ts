/** The links of the configuration: duplicate addresses, bridges and their ports. */
import { type Check, configured, word } from './check.ts'
import { linksOf, namesOf, upstreamsOf } from './roles.ts'

export const linkChecks: readonly Check[] = [
  configured({ code: 'dad-failed', severity: 'error', title: 'no address of a configured link is a duplicate (DAD)', isCheap: true },
    ({ config, machine }) => {
      const links = new Map(linksOf(config, machine).map(({ ifindex, name }) => [ifindex, name]))
      return machine.addresses.filter((own) => own.isDuplicate && links.has(own.ifindex)).map(({ ifindex, address, prefixLength }) => {
        const link = links.get(ifindex)!
        return {
          what: `another node has the address ${address} of ${link} (duplicate address detection failed)`,
          why: 'the kernel does not use the address, so ndp6d may have no source address for answers and probes there; '
            + 'give this machine another one',
          mend: `ip -6 addr del ${address}/${prefixLength} dev ${word(link)}`, link, target: address.toString(),
        }
      })
    }),
  configured({
    code: 'bridge-port', severity: 'error', title: 'no configured link is a port of a bridge, bond or team', isCheap: true, isLogged: true },
    ({ config, machine }) => {
      const names = namesOf(config)
      return machine.links.filter(({ name, master }) => master !== undefined && names.includes(name)).map(({ name, master }) => {
        const bridge = machine.nameOf(master)
        return {
          what: `${name} is a port of ${bridge}`,
          why: `${bridge} takes all packets of ${name}, so ndp6d receives nothing there; name ${bridge} instead of ${name}`,
          mend: upstreamsOf(config).includes(name) ? `upstream ${bridge}`
            : config.subnets.some(({ downstream }) => downstream.includes(name)) ? `downstream ${bridge}`
              : config.proxies.some(({ iface }) => iface === name) ? `proxy ${bridge} {` : `iface ${bridge}`,
          isLine: true, link: name,
        }
      })
    }),
  configured({ code: 'no-querier', severity: 'warning', title: 'a bridge with MLD snooping has an MLD querier', isCheap: true },
    ({ config, machine }) => {
      const links = linksOf(config, machine)
      const used = new Set(links.flatMap(({ ifindex, master }) => master === undefined ? [ifindex] : [ifindex, master]))
      return machine.links.filter(({ ifindex, bridge, isEnabled }) => isEnabled && used.has(ifindex) && bridge?.isSnooping && !bridge.hasQuerier)
        .map(({ name }) => ({
          what: `the bridge ${name} does MLD snooping, but nothing sends MLD queries there`,
          why: 'memberships of multicast groups end after some minutes, and switches then withhold the solicitations for hosts of these groups',
          mend: `ip link set dev ${word(name)} type bridge mcast_querier 1`, link: name,
        }))
    }),
]
