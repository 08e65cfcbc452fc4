/** Marks the host routes of ndp6d: only routes that carry both numbers are changed or deleted. */
import type { RouteMark } from '../wire/rtroute.ts'

/**
 * The protocol is named `ndp6d` in rt_protos.d. The metric is better than that of a /128 which a routing daemon learned
 * elsewhere.
 */
export const ROUTE_MARK: RouteMark = { protocol: 136, metric: 16 }
