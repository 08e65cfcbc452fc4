/** Exit statuses (product: commands; sysexits.h for 78). */
export const EXIT = { good: 0, failed: 1, usage: 2, notRunning: 3, notPermitted: 4, config: 78 } as const
