"""A line between two network namespaces that loses, delays and limits packets: what netem does, for kernels without it.

usage: rough-line.py NEAR FAR PID LINE
  NEAR, FAR  addresses of its two ends, in the namespace of this process and in that of the process PID; devices `near`, `far`
  LINE       JSON: lossPercent, delayMs, jitterMs (spread evenly above the delay, so packets overtake each other), kbps
             (null: unlimited), queueMs (what waits longer for its turn is dropped), seed; the same both ways

Writes `ready` once both ends are up, and ends with its standard input.
"""
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import selectors
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
LARGEST_PACKET = 65536


def device(name, address, gateway):
    """Makes a device in the namespace that this process is in, and sends everything else that way. -> file descriptor"""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    for words in (
        f"addr add {address}/24 dev {name}",
        f"link set {name} up",
        f"route replace default via {gateway} dev {name}",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    return tun


def enter(pid):
    with open(f"/proc/{pid}/ns/net") as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Way:
    """One direction."""

    def __init__(self, out, line):
        self.out = out
        self.line = line
        self.free_at = 0.0

    def departure(self, size, now):
        """When a packet of so many bytes arrives at the other end; None: it does not."""
        line = self.line
        if random.random() * 100 < line["lossPercent"]:
            return None
        if line["kbps"]:
            begins = max(now, self.free_at)
            if (begins - now) * 1000 > line["queueMs"]:
                return None
            self.free_at = now = begins + size * 8 / (line["kbps"] * 1000)
        return now + (line["delayMs"] + random.random() * line["jitterMs"]) / 1000


def main():
    near, far, pid, line = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    random.seed(line["seed"])
    here = device("near", near, far)
    enter(pid)
    there = device("far", far, near)
    ways = {here: Way(there, line), there: Way(here, line)}
    selector = selectors.DefaultSelector()
    for end in (here, there, sys.stdin.fileno()):
        selector.register(end, selectors.EVENT_READ)
    waiting, order = [], itertools.count()
    print("ready", flush=True)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for key, _ in selector.select(pause):
            if key.fd == sys.stdin.fileno():
                return
            way = ways[key.fd]
            try:
                while True:
                    packet = os.read(key.fd, LARGEST_PACKET)
                    at = way.departure(len(packet), time.monotonic())
                    if at is not None:
                        heapq.heappush(waiting, (at, next(order), way.out, packet))
            except BlockingIOError:
                pass
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, out, packet = heapq.heappop(waiting)
            try:
                os.write(out, packet)
            except (BlockingIOError, OSError):
                pass  # A full queue of the device drops, as any line does.


main()
