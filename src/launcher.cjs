#!/usr/bin/env node
/**
 * The command `ndp6d`. Loads the program if this Node can run it, otherwise prints what to install. Very old versions of Node read this
 * file too, so it uses only syntax that they know. `npm run bundle` copies this file to dist/ndp6d.cjs.
 */
'use strict'

var fs = require('fs')
var path = require('path')

/** @returns why this Node cannot run ndp6d, and what to do; undefined if it can */
function obstacle() {
  var root = path.dirname(__dirname)
  var wanted = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')).engines.node.match(/\d+(\.\d+)?/g)
  var install = 'install Node ' + wanted.join(', ').replace(/, (?=\d+$)/, ' or ')
  var node = 'Node ' + process.versions.node + ' (' + process.execPath + ')'
  var least = wanted[0].split('.')
  var present = process.versions.node.split('.')
  if (+present[0] < +least[0] || (+present[0] === +least[0] && +present[1] < +least[1])) {
    return node + ' is too old: ' + install + ', for instance from https://nodejs.org, and run ndp6d again'
  }
  // A clone builds its own native code.
  if (fs.existsSync(path.join(root, 'binding.gyp'))) return undefined
  var platforms = list(path.join(__dirname, 'prebuilds'))
  if (platforms.length === 0) return undefined
  var platform = process.platform + '-' + process.arch
  if (platforms.indexOf(platform) < 0) {
    return 'this package has native code for ' + platforms.join(', ') + ', not for ' + platform + ': build it on this machine (docs/install.md)'
  }
  var builds = list(path.join(__dirname, 'prebuilds', platform))
  if (builds.length === 0 || builds.indexOf('raw-socket-abi' + process.versions.modules) >= 0) return undefined
  return 'this package has no native code for ' + node + ', whose ABI is ' + process.versions.modules + ': ' + install + ', or a newer ndp6d'
}

/** @returns the names in a directory; none if it cannot be read, so that only the commands that need native code fail. */
function list(directory) {
  try {
    return fs.readdirSync(directory)
  } catch (error) {
    return []
  }
}

// The working directory of the shell may have been deleted. /proc replaces it: as in a deleted directory, no file can
// be made there.
try {
  process.cwd()
} catch (error) {
  process.chdir('/proc')
}

var why = obstacle()
if (why === undefined) {
  require('./main.cjs')
} else {
  process.stderr.write('ndp6d: ' + why + '\n')
  process.exitCode = 1
}
