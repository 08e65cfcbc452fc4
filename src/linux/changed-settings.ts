/**
 * Records in settings.json of the state directory which settings ndp6d changed since this machine booted, and their former values. A stop
 * leaves the settings as they are, because other programs may rely on the new values. `ndp6d cleanup` restores the former values.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSetting, type SettingChange, writeSetting } from './sysctl.ts'

const BOOT_ID = '/proc/sys/kernel/random/boot_id'

export class ChangedSettings {
  readonly #directory: string
  readonly #file: string

  readonly #warn: (message: string) => void

  /** @param warn called with a sentence for the log when changes cannot be written down */
  constructor(directory: string, warn: (message: string) => void = () => {}) {
    this.#directory = directory
    this.#warn = warn
    this.#file = join(directory, 'settings.json')
  }

  /** Adds changes to the file. If a setting is already in the file, the former value recorded there is kept. Never throws. */
  add(changes: readonly SettingChange[]): void {
    if (changes.length === 0) return
    const known = this.#read()
    const added = changes.filter((change) => !known.some((each) => each.iface === change.iface && each.setting === change.setting))
    if (added.length === 0) return
    try {
      this.#write({ boot: bootId(), changes: [...known, ...added] })
    } catch (error) {
      this.#warn(`cannot write ${this.#file} (${(error as Error).message}): \`ndp6d cleanup\` will not restore the settings; `
        + 'let this user write there, or give another directory with `--state DIR`')
    }
  }

  /**
   * Restores the former values, in the reverse order of the changes. Skips settings that another program changed afterwards. Removes the
   * file.
   * @returns the changes made
   * @throws OsError
   */
  restore(): SettingChange[] {
    const restored: SettingChange[] = []
    for (const { iface, setting, from, to } of this.#read().reverse()) {
      if (readSetting(iface, setting) !== to) continue
      writeSetting(iface, setting, from)
      restored.push({ iface, setting, from: to, to: from })
    }
    rmSync(this.#file, { force: true })
    return restored
  }

  /** @throws an Error with `code` */
  #write(content: unknown): void {
    const temporary = `${this.#file}.new`
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    rmSync(temporary, { force: true })
    writeFileSync(temporary, `${JSON.stringify(content)}\n`, { mode: 0o600, flag: 'wx' })
    renameSync(temporary, this.#file)
  }

  /** @returns the changes in the file; none without a file, or if the file is from before the last boot, which undid the changes */
  #read(): SettingChange[] {
    try {
      const { boot, changes } = JSON.parse(readFileSync(this.#file, 'utf8')) as { boot?: unknown; changes?: unknown }
      return boot === bootId() && Array.isArray(changes) ? changes.filter(isChange) : []
    } catch {
      return []
    }
  }
}

function bootId(): string { return readFileSync(BOOT_ID, 'latin1').trim() }

function isChange(value: unknown): value is SettingChange {
  const { iface, setting, from, to } = Object(value) as Record<string, unknown>
  return typeof iface === 'string' && iface !== '' && !iface.includes('/') && !iface.startsWith('.')
    && (setting === 'forwarding' || setting === 'accept_ra') && typeof from === 'number' && typeof to === 'number'
}
