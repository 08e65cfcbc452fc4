/** Why a command could not write a file. */
import { EXIT } from './exit.ts'

/** The exit status, and the sentence for the user. */
export interface Unwritable { readonly status: number; readonly sentence: string }

/** @returns what to do about EROFS */
export function readOnly(file: string): Unwritable {
  return { status: EXIT.notPermitted,
    sentence: `cannot write ${file}: its file system is read-only. Make it writable (\`mount -o remount,rw\`), or name another file` }
}
