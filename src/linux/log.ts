/** The part of a logger (pino) that this layer uses. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}
