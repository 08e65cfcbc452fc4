/** Exit statuses; 78 is EX_CONFIG of sysexits.h. */
export const EXIT = { good: 0, failed: 1, usage: 2, notRunning: 3, notPermitted: 4, config: 78 } as const
