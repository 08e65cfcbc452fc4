/** Makes the checks, within a time limit. */
import type { Check, Outcome, Result, Subject } from './check.ts'
import { competitorChecks } from './competitors.ts'
import { firewallChecks } from './firewall.ts'
import { forwardingChecks } from './forwarding.ts'
import { hostRouteChecks } from './host-routes.ts'
import { limitChecks } from './limits.ts'
import { linkChecks } from './links.ts'
import { routerChecks } from './routers.ts'
import { ruleChecks } from './rules.ts'
import { sourceRouteChecks } from './source-routes.ts'

/** All checks. {@link examine} returns their outcomes in this order. */
export const CHECKS: readonly Check[] = [
  ...forwardingChecks, ...limitChecks, ...linkChecks, ...routerChecks, ...sourceRouteChecks, ...hostRouteChecks, ...ruleChecks, ...competitorChecks,
  ...firewallChecks,
]

/** The most findings of one check: one cause may make hundreds. */
const FINDINGS = 16

/** Makes all `checks` at the same time. @param time the limit in milliseconds, after which the result of an unfinished check is unknown */
export async function examine(subject: Subject, checks: readonly Check[], time: number): Promise<Outcome[]> {
  let timer
  const late = new Promise<Result>((resolve) => {
    timer = setTimeout(resolve, time, { unknown: `it took longer than ${(time / 1000).toFixed(1)} s`, how: 'ndp6d doctor' } satisfies Result)
  })
  const results = await Promise.all(checks.map((check) => Promise.race([late, resultOf(check, subject)])))
  clearTimeout(timer)
  return results.flatMap((result, i): Outcome[] => {
    const { code, severity } = checks[i]
    if ('unknown' in result) return [{ code, severity, status: 'unknown', unknown: { reason: result.unknown, how: result.how } }]
    if (result.length === 0) return [{ code, severity, status: 'ok' }]
    return result.slice(0, FINDINGS).map((finding) => ({ code, severity, status: 'finding', finding }))
  })
}

/** Makes one check. The result is unknown if something that the check needs is missing or fails. */
export async function resultOf(check: Check, subject: Subject): Promise<Result> {
  if (check.needs !== undefined && subject.config === undefined) {
    return { unknown: `there is no valid configuration in ${subject.file}`, how: `ndp6d check ${subject.file}` }
  }
  if (check.needs === 'daemon' && subject.daemon === undefined) return subject.absence ?? { unknown: 'no daemon runs', how: 'systemctl start ndp6d' }
  try {
    return await check.look(subject)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // An error without `code` is a bug and is thrown, except a SyntaxError: a program printed something other than JSON.
    if (code === undefined && !(error instanceof SyntaxError)) throw error
    return { unknown: message, how: code === 'EACCES' || code === 'EPERM' ? 'sudo ndp6d doctor' : `ndp6d doctor --only ${check.code}` }
  }
}
