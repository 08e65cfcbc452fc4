/**
 * The bundled program, and beside it the code that V8 made of it when it was built, with which it answers a good deal sooner:
 * to compile it takes as long as most of what it does at its start. V8 refuses the code of another version of itself.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import Module from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { Script } from 'node:vm'

/** Bytes of SHA-256: in front of the code, that of the program that it was made of. */
const DIGEST = 32

/**
 * The program in `file`, with its code if that is there and fits; a function as Node makes one of a CommonJS module. Throws an
 * Error with `code` when the program cannot be read.
 */
export function load(file: string): Script {
  const source = readFileSync(file)
  return compile(source, file, readCode(source, file))
}

/** Writes the code of the program in `file`: all of it, also of what is not run at once. Throws an Error with `code`. */
export function keep(file: string): void {
  const source = readFileSync(file)
  setFlagsFromString('--no-lazy')
  const script = compile(source, file)
  // The code is for those who have no such flag.
  setFlagsFromString('--lazy')
  writeFileSync(codeOf(file), Buffer.concat([digestOf(source), script.createCachedData()]))
}

function compile(source: Buffer, filename: string, cachedData?: Buffer): Script {
  return new Script(Module.wrap(source.toString()), { filename, cachedData })
}

/** Undefined: there is none that was made of this very program. */
function readCode(source: Buffer, file: string): Buffer | undefined {
  try {
    const code = readFileSync(codeOf(file))
    return code.subarray(0, DIGEST).equals(digestOf(source)) ? code.subarray(DIGEST) : undefined
  } catch {
    return undefined
  }
}

function codeOf(file: string): string { return `${file}.code` }

function digestOf(source: Buffer): Buffer { return createHash('sha256').update(source).digest() }
