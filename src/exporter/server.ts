/** The HTTP server of metrics. Importing this module loads prom-client. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Reading } from './catalog.ts'
import { CONTENT_TYPE, Exposition } from './exposition.ts'

const MAX_CONNECTIONS = 16
/** Milliseconds in which a client has to send its request. After twice this time without activity, the client is disconnected. */
const TIMEOUT = 5000
const HELP = 'ndp6d: metrics for Prometheus are at /metrics\n'

/**
 * @param isRoomLeft whether enough file descriptors remain for the rest of the program
 * @returns a server that does not listen yet
 */
export function createMetricsServer(read: () => Reading, isRoomLeft: () => boolean): Server {
  const exposition = new Exposition()
  const print = async (): Promise<string> => exposition.print(read())
  const options = { requestTimeout: TIMEOUT, headersTimeout: TIMEOUT, connectionsCheckingInterval: 1000, maxHeaderSize: 8192 }
  const listener: RequestListener = ({ method = '', url = '' }, response) => {
    const reply = (status: number, type: string, text: string): void => {
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), 'allow': 'GET, HEAD' })
      response.end(method === 'HEAD' ? undefined : text)
    }
    // Reading the values may fail, because it may need a file descriptor.
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
