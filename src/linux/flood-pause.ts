/**
 * A pause in a flood of packets that get no answer, such as a scan of a prefix. Packets that arrive during the pause are read as
 * one batch, which costs less CPU time than reading each by itself. Other programs get the CPU during the pause.
 */

/** A batch of at least this many packets may be part of a flood. */
const FLOOD = 16
/** Length of the pause, milliseconds. */
const REST = 0.05

/** Blocks the thread. @param time milliseconds */
export type Sleep = (time: number) => void

const cell = new Int32Array(new SharedArrayBuffer(4))

/** Waits for a notification that never comes: Node has no other sleep that blocks. */
const block: Sleep = (time) => { Atomics.wait(cell, 0, 0, time) }

/**
 * Sleeps if the batch was part of a flood: many packets, most of them unanswered. Does not sleep after a full batch, because the
 * socket may hold more packets. Waking may take a scheduler tick, and the kernel would drop packets during this tick.
 * @param received number of packets in the batch
 * @param answered number of messages that were sent while the batch was read
 * @param capacity number of packets in a full batch
 */
export function restInFlood(received: number, answered: number, capacity: number, sleep = block): void {
  if (received >= FLOOD && received < capacity && answered < received / 2) sleep(REST)
}
