/** Errors of the command line as sentences: with the word that was probably meant, or what replaces an option of ndppd. */
import { nearest } from '../config/suggest.ts'
import { EXIT } from './exit.ts'

const DAEMON = '`-d` of ndppd is not needed: ndp6d stays in the foreground, and `systemctl enable --now ndp6d` runs it in the background'
const VERBOSE = '`-v` of ndppd is `--level debug`; `journalctl -u ndp6d` shows the log of the service'
/** What replaces the options of ndppd that ndp6d does not have, by their short and long names. */
const NDPPD: Readonly<Record<string, string>> = {
  d: DAEMON, daemon: DAEMON, v: VERBOSE, verbose: VERBOSE,
  p: '`-p FILE` of ndppd is not needed: there is no pid file, `systemctl status ndp6d` shows the process',
}

/** The options of each command, by name, as yargs reads them; the empty name is the daemon. */
export type Commands = Readonly<Record<string, object>>

/** Prints what is wrong with a command line, and sets the exit status. */
export function refuse(...sentences: readonly string[]): void {
  process.stderr.write(`${sentences.map((sentence) => `ndp6d: ${sentence}\n`).join('')}Try \`ndp6d --help\`.\n`)
  process.exitCode = EXIT.usage
}

/** @param message an error of yargs. @param args the command line. @returns the sentences to print */
export function explainUsage(message: string, args: readonly string[], commands: Commands): readonly string[] {
  const [, unknown] = /^Unknown (?:argument|command)s?: (.*)$/.exec(message) ?? []
  if (unknown !== undefined) return explainUnknown(unknown.split(', '), args, commands)
  const [, valueless] = /^Not enough arguments following: (.*)$/.exec(message) ?? []
  if (valueless !== undefined) return [`option --${valueless} has no value: expected one after it`]
  if (message.startsWith('Not enough non-option arguments')) return explainMissing(args, commands)
  const wrong = [...message.matchAll(/^ *Argument: (.*), Given: (.*), Choices: (.*)$/gm)]
  return wrong.length === 0 ? [message] : wrong.map(([, option, given, choices]) =>
    // A positional argument has a name in capitals, without dashes.
    `${given} is not a value of ${/[a-z]/.test(option) ? '--' : ''}${option}: expected ${choices.replaceAll('"', '')}`)
}

/** Explains a missing argument. Unknown options are reported instead, because an unknown option may have taken the argument. */
function explainMissing(args: readonly string[], commands: Commands): readonly string[] {
  const command = args.find((arg) => Object.hasOwn(commands, arg))!
  const options = Object.keys(commands[command])
  const unknown = args.filter((arg) => arg.startsWith('-')).map((arg) => arg.replace(/^--?|=.*/gs, '')).filter((name) => !options.includes(name))
  if (unknown.length > 0) return explainUnknown(unknown, args, commands)
  return [`\`ndp6d ${command}\` needs ${options.filter((name) => name === name.toUpperCase()).join(' and ')}: \`ndp6d ${command} --help\` shows what it takes`]
}

/** @param words the unknown words of the command line; options among these come without dashes */
function explainUnknown(words: readonly string[], args: readonly string[], commands: Commands): readonly string[] {
  const names = Object.keys(commands).filter((name) => name !== '')
  const command = args.find((arg) => names.includes(arg))
  const options = [...Object.keys(commands[command ?? '']), 'help', 'version'].filter((name) => name !== name.toUpperCase())
  /** The value of `-p`: the report of `-p` covers it. */
  const pidFile = args[args.findIndex((arg) => /^-[a-z]*p$/.test(arg)) + 1]
  const sentences = new Set<string>()
  for (const word of words) {
    const typed = args.find((arg) => arg.startsWith('-') && arg.replace(/^--?|=.*/gs, '') === word)?.replace(/=.*/s, '')
    if (typed === undefined && args.includes(word)) {
      if (word === pidFile && words.includes('p')) continue
      const near = command === undefined ? nearest(word, names) : undefined
      // Unknown options are not reported, because they belong to the misspelt command.
      if (near !== undefined) return [`unknown command ${JSON.stringify(word)}: did you mean \`ndp6d ${near}\`?`]
      sentences.add(`unexpected ${JSON.stringify(word)}: ${command !== undefined ? `\`ndp6d ${command} --help\` shows what it takes`
        : /[/.]/.test(word) ? `did you mean \`ndp6d --config ${word}\`?` : `commands are ${names.join(', ')}`}`)
      continue
    }
    // yargs reports `--dry-rn` also as `dryRn`, and the latter is skipped. yargs reports options in one word (`-dv`) as single letters.
    if (typed === undefined && word.length > 1) continue
    const initial = word.length === 1 ? options.findLast((option) => option.startsWith(word.toLowerCase())) : undefined
    const near = initial ?? nearest(word, options)
    const isFile = command !== undefined && 'FILE' in commands[command] && /^c(onfig)?$/.test(word)
    sentences.add(isFile ? `unknown option ${typed}: \`ndp6d ${command} FILE\` takes the file without an option`
      : command === undefined && Object.hasOwn(NDPPD, word) ? NDPPD[word] : `unknown option ${typed ?? `-${word}`}${near === undefined ? '' : `: did you mean --${near}?`}`)
  }
  return [...sentences]
}
