import { createRequire } from 'node:module'

/** @returns the version of the package */
export function version(): string { return (createRequire(import.meta.url)('#package') as { version: string }).version }
