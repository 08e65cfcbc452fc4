"""The load of a sleeping solicitor: one solicitation at a time, and the program sleeps in recv(2) until the answer is there.

`python3 sleeping-load.py LOAD` runs in the solicitor's namespace. LOAD is JSON:
  iface     the link
  frames    solicitations as hex, sent in turn
  seconds   how long; the frames are repeated then. Without it each frame is sent once; 0: until the program is ended
  interval  seconds between two solicitations; 0: the next one follows the answer
  patience  seconds until a solicitation counts as lost

It prints `ready`, then `first AT` with the time of the first answer (CLOCK_MONOTONIC in milliseconds, as process.hrtime of Node
has it). At the end, and on SIGUSR1, it prints JSON: how many solicitations were `sent` since the first answer or the last
SIGUSR1, and the `latencies` of the answers in milliseconds.

Python, because Node cannot block in recv: its event loop would add its own wakeups to every latency.
"""
import gc
import json
import signal
import socket
import struct
import sys
import time

ETH_P_IPV6 = 0x86DD
ADVERTISEMENT = b'\x88'
TYPE = slice(54, 55)
TARGET = slice(62, 78)

load = json.loads(sys.argv[1])
frames = [bytes.fromhex(frame) for frame in load['frames']]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
if load['patience'] < 0.01:  # SO_RCVTIMEO counts in ticks of the kernel; this way Python polls before each recv
    link.settimeout(load['patience'])
else:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', *divmod(int(load['patience'] * 1e6), 1_000_000)))
link.bind((load['iface'], ETH_P_IPV6))
latencies = []
is_answered = False


def report(*_):
    """Prints the solicitations that were answered or lost, and forgets them."""
    print(json.dumps({'sent': len(latencies), 'latencies': [latency for latency in latencies if latency is not None]}), flush=True)
    latencies.clear()


def solicit(frame):
    """Returns milliseconds until the answer, or None without one in time."""
    start = time.monotonic_ns()
    try:
        link.send(frame)
        while True:
            answer = link.recv(256)
            if answer[TYPE] == ADVERTISEMENT and answer[TARGET] == frame[TARGET]:
                return (time.monotonic_ns() - start) / 1e6
    except (BlockingIOError, TimeoutError):
        return None
    except OSError:  # the link is down
        time.sleep(load['patience'])
        return None


gc.disable()
signal.signal(signal.SIGUSR1, report)
print('ready', flush=True)
count = 0
start = time.monotonic()
while count < len(frames) if load.get('seconds') is None else not load['seconds'] or time.monotonic() < start + load['seconds']:
    latency = solicit(frames[count % len(frames)])
    count += 1
    if latency is not None and not is_answered:
        is_answered = True
        latencies.clear()
        print(f'first {time.monotonic_ns() / 1e6}', flush=True)
    latencies.append(latency)
    if load['interval'] > 0:
        time.sleep(max(0, start + count * load['interval'] - time.monotonic()))
report()
