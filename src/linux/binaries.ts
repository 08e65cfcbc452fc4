/**
 * Loads the native code: our addon, which any Node can load (Node-API), and the package raw-socket, which has one build for each Node ABI.
 * An installed ndp6d has the addon and all builds of raw-socket in dist/prebuilds. In a clone, they are compiled into build/Release and
 * node_modules.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** The native code is missing, or is for another machine or another Node. The message names the next step. */
export class NativeCodeMissing extends Error {
  override readonly name = 'NativeCodeMissing'
}

/** @throws NativeCodeMissing */
export function loadAddon(): unknown { return load('#addon', 'ndp6d.node') }

/** @throws NativeCodeMissing */
export function loadRawSocket(): unknown { return load('raw-socket', `raw-socket-abi${process.versions.modules}`) }

function load(own: string, shipped: string): unknown {
  const root = dirname(require.resolve('#package'))
  const isClone = existsSync(join(root, 'binding.gyp'))
  const file = isClone ? own : join(root, 'dist', 'prebuilds', `${process.platform}-${process.arch}`, shipped)
  try {
    return require(file)
  } catch (error) {
    const [reason] = (error as Error).message.split('\n')
    throw new NativeCodeMissing(`cannot load native code for Node ${process.version.slice(1)} (${reason}): ${isClone
      ? 'run `npm rebuild && npm run addon` in the clone' : 'install the package ndp6d again'}`)
  }
}
