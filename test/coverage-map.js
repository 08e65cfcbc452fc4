// A test file earns coverage only for the source file it mirrors.
export default (test) => test.replace(/^dist\/test/, 'dist/src')
