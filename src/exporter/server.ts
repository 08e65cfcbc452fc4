/** The HTTP server of metrics. Importing this module loads prom-client. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Reading } from './catalog.ts'
import { CONTENT_TYPE, Exposition } from './exposition.ts'

const MAX_CONNECTIONS = 16
/** Milliseconds until a client has to have sent its request, and in which it has to read the reply. */
const TIMEOUT = 5000
const HELP = 'ndp6d: metrics for Prometheus are at /metrics\n'

/** @param isRoomLeft whether a further client leaves enough file descriptors for the rest of the program @returns a server to listen with */
export function createMetricsServer(read: () => Reading, isRoomLeft: () => boolean): Server {
  const exposition = new Exposition()
  const print = async (): Promise<string> => exposition.print(read())
  const options = { requestTimeout: TIMEOUT, headersTimeout: TIMEOUT, connectionsCheckingInterval: 1000, maxHeaderSize: 8192 }
  const listener: RequestListener = ({ method = '', url = '' }, response) => {
    const reply = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'allow': 'GET, HEAD' })
      response.end(method === 'HEAD' ? undefined : text)
    }
    // Values may need a file descriptor to be read.
    const fail = ({ message }: Error): void => reply(500, 'text/plain', `ndp6d: ${message}\n`)
    const path = url.split('?', 1)[0]
    if (method !== 'GET' && method !== 'HEAD') reply(405, 'text/plain', 'ndp6d: only GET is allowed\n')
    else if (path === '/') reply(200, 'text/plain', HELP)
    else if (path === '/metrics') void print().then((text) => reply(200, CONTENT_TYPE, text), fail)
    else reply(404, 'text/plain', HELP)
  }
  const server = createServer(options, listener)
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(2 * TIMEOUT)
  server.on('connection', (socket) => { if (!isRoomLeft()) socket.destroy() })
  return server
}
