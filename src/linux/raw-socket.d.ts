/** What we use of raw-socket, which comes without types. */
declare module 'raw-socket' {
  interface Socket {
    readonly wrap: SocketWrap
    /** Sets an option to a 32-bit number or, with `length`, to bytes. Throws an Error that says strerror(3). */
    setOption(level: number, option: number, value: number): void
    setOption(level: number, option: number, value: Buffer, length: number): void
    pauseRecv(): this
    close(): this
  }

  interface SocketWrap {
    /** sendto(2), at once; throws an Error that says strerror(3). On a closed socket it opens another. */
    send(buffer: Buffer, offset: number, length: number, address: string, sent: (bytes: number) => void): void
  }

  const raw: {
    createSocket(options: { protocol: number; addressFamily: number }): Socket
    readonly AddressFamily: { readonly IPv6: number }
    readonly Protocol: { readonly ICMPv6: number }
  }
  export default raw
  export type { Socket }
}
