import { request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Page { readonly status: number; readonly type: string | undefined; readonly text: string }

/**
 * Requests a page by a connection of its own: fetch() keeps connections, and fails where one is left of a server that was closed meanwhile.
 * @throws the error of the connection
 */
export async function get(url: string, method = 'GET', body = ''): Promise<Page> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent: false }, (response) => {
      text(response).then((text) => resolve({ status: response.statusCode!, type: response.headers['content-type'], text }), reject)
    })
    sent.on('error', reject).end(body)
  })
}
