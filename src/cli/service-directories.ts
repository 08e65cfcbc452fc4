/** The directories that systemd gives a service, as lists of paths with colons between them (systemd.exec(5)). */

type Env = Readonly<Record<string, string | undefined>>

/** @returns the directory of the control socket: RuntimeDirectory= of the unit, else /run/ndp6d */
export function runtimeDirectory(env: Env = process.env): string { return first(env.RUNTIME_DIRECTORY) ?? '/run/ndp6d' }

/** @returns StateDirectory= of the unit, else undefined */
export function stateDirectory(env: Env = process.env): string | undefined { return first(env.STATE_DIRECTORY) }

function first(paths: string | undefined): string | undefined { return paths?.split(':').find((path) => path !== '') }
