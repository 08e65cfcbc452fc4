/** Types for the part of raw-socket that is used here; the package has no types. */
declare module 'raw-socket' {
  interface Socket {
    readonly wrap: SocketWrap
    /** Sets an option to a 32-bit number or, with `length`, to bytes. @throws Error with the text of strerror(3) */
    setOption(level: number, option: number, value: number): void
    setOption(level: number, option: number, value: Buffer, length: number): void
    pauseRecv(): this
    close(): this
  }

  interface SocketWrap {
    /** Calls sendto(2) at once. Opens a closed socket again. @throws Error with the text of strerror(3) */
    send(buffer: Buffer, offset: number, length: number, address: string, sent: (bytes: number) => void): void
  }

  interface RawSocket {
    createSocket(options: { protocol: number; addressFamily: number }): Socket
    readonly AddressFamily: { readonly IPv6: number }
    readonly Protocol: { readonly ICMPv6: number }
  }
  export type { RawSocket, Socket }
}
