/** `ndp6d explain ADDRESS`: whether the address is answered for, by which rule, and for which host. */
import type { InferredOptionTypes } from 'yargs'
import { Address } from '../address.ts'
import { addressWithin } from '../config/suggest.ts'
import { NoReply, Refused, request } from '../control/client.ts'
import { EXPLAIN_SCHEMA, type Explained } from '../replies/explain.ts'
import { control, explainFailure } from './connection.ts'
import { EXIT } from './exit.ts'
import { printExplanation } from './explain-text.ts'

export const command = 'explain ADDRESS'
export const describe = 'explain whether an address is answered for, and why'

export const builder = {
  ADDRESS: { type: 'string', demandOption: true, describe: 'IPv6 address' },
  control,
  probe: { type: 'boolean', default: false, describe: 'solicit the address once, and show the time until the reply' },
  json: { type: 'boolean', default: false, describe: 'as one JSON document' },
} as const

export async function handler({ ADDRESS, control: path, probe, json }: InferredOptionTypes<typeof builder>): Promise<void> {
  const address = Address.parse(ADDRESS)?.toString()
  if (address === undefined) {
    const within = addressWithin(ADDRESS)
    process.stderr.write(`ndp6d: ${JSON.stringify(ADDRESS)} is not an IPv6 address: ${
      within === undefined ? 'expected one like 2001:db8::2' : `did you mean \`${within}\`?`}\n`)
    process.exitCode = EXIT.usage
    return
  }
  try {
    const explained = await explanation(path, address, probe)
    process.stdout.write(json ? `${JSON.stringify(explained, undefined, 2)}\n` : printExplanation(explained))
    process.exitCode = explained.verdict === 'silent' ? EXIT.failed : EXIT.good
  } catch (error) {
    process.exitCode = explainFailure(error as NodeJS.ErrnoException, path)
    if (json) process.stdout.write(`${JSON.stringify(unknown(address, error as Error, process.exitCode), undefined, 2)}\n`)
  }
}

async function explanation(path: string, address: string, probe: boolean): Promise<Explained> {
  for await (const part of request(path, 'explain', { address, probe })) {
    if (part.schema === EXPLAIN_SCHEMA) return part as unknown as Explained
  }
  throw new NoReply('foreign', 'the daemon sent no explanation')
}

/** The document to print if there is no explanation: its facts are null. */
function unknown(address: string, error: Error, status: number): object {
  const reason = status === EXIT.notRunning ? 'not-running' : status === EXIT.notPermitted ? 'not-permitted' : 'no-reply'
  // Without a listener, no daemon runs. A refusal comes from a running daemon. Other errors do not show whether a daemon runs.
  const running = status === EXIT.notRunning ? false : error instanceof Refused ? true : null
  return { schema: EXPLAIN_SCHEMA, running, address, verdict: null, reason, links: null, owner: null, host: null, excluded: null, own: null,
    kernel: null, history: null, probe: null }
}
