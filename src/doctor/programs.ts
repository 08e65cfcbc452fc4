/** External programs that checks run, such as nft(8). */
import { execFile } from 'node:child_process'

/** Time limit of an external program, milliseconds. */
const PROGRAM_TIME = 2000
const OUTPUT_LIMIT = 64 * 2 ** 20
const PATH = `${process.env.PATH ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`

/** Why a program gave no output: it is not installed, this user may not run it, it took too long, or it failed. */
export class ProgramError extends Error {
  readonly reason: 'missing' | 'not permitted' | 'failed'

  constructor(reason: ProgramError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** Runs a program to its end. @returns its stdout. @throws ProgramError */
export function runProgram(program: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => execFile(program, args, { timeout: PROGRAM_TIME, killSignal: 'SIGKILL', maxBuffer: OUTPUT_LIMIT,
    env: { ...process.env, PATH, LC_ALL: 'C' } }, (error, stdout, stderr) => {
    if (error === null) return resolve(stdout)
    const code = String(error.code)
    if (code === 'ENOENT') return reject(new ProgramError('missing', `${program} is not installed`))
    if (code === 'EACCES' || /permi(tted|ssion)|you must be root/i.test(stderr)) {
      return reject(new ProgramError('not permitted', `${program}: not permitted`))
    }
    reject(new ProgramError('failed', `${program} ${error.killed === true ? 'took too long' : `failed: ${stderr.trim().split('\n')[0]}`}`))
  }))
}
