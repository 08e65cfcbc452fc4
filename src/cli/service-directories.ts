/** The directories that systemd gives a service, in environment variables: lists of paths, separated by colons (systemd.exec(5)). */
import { join } from 'node:path'

type Env = Readonly<Record<string, string | undefined>>

/** @returns the path of the control socket, in RuntimeDirectory= of the unit, else in /run/ndp6d */
export function controlPath(env: Env = process.env): string { return join(first(env.RUNTIME_DIRECTORY) ?? '/run/ndp6d', 'control.sock') }

/** @returns StateDirectory= of the unit, else undefined */
export function stateDirectory(env: Env = process.env): string | undefined { return first(env.STATE_DIRECTORY) }

function first(paths: string | undefined): string | undefined { return paths?.split(':').find((path) => path !== '') }
