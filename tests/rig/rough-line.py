"""A line between two network namespaces that loses, delays and limits packets, with a firewall on it: what netem and
netfilter do, for kernels without them.

usage: rough-line.py PID LINE
  PID   a process in the other namespace
  LINE  JSON: near, far (each device, address: the line's two ends, in the namespace of this process and in the other; far
        also gateway: to whom it sends what is for others), bits (of the prefix of both), shown (the address that the far end has for everybody outside, as behind a NAT that
        keeps ports; null: its own), nearDefault (whether this side, too, sends everything else that way), lossPercent,
        delayMs, jitterMs (spread evenly above the delay, so packets overtake each other), kbps (null: unlimited),
        queueMs (what waits longer for its turn is dropped), seed; the same both ways

Writes `ready` once both ends are up. A line of its standard input names what the firewall lets through from then on, one of
FIREWALLS; it answers with JSON: that name, and how many packets it kept back since the line before. Ends with its input.
"""
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
LARGEST_PACKET = 65536
TCP, UDP = 6, 17


def device(name, address, bits, gateway):
    """Makes a device in the namespace that this process is in; what has no other way goes to gateway. -> file descriptor"""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    steps = [f"addr add {address}/{bits} dev {name}", f"link set {name} up"]
    if gateway:
        steps.append(f"route replace default via {gateway} dev {name}")
    for words in steps:
        subprocess.run(["ip", *words.split()], check=True)
    return tun


def enter(pid):
    with open(f"/proc/{pid}/ns/net") as namespace:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


class Firewall:
    """What a company lets through, of IPv4."""

    def __init__(self):
        self.passes = self.open
        self.dropped = 0
        self.tls = {}

    def choose(self, name):
        """Changes what is let through from now on. -> what to answer"""
        answer = json.dumps({"firewall": name, "dropped": self.dropped})
        self.passes = {"open": self.open, "no UDP": self.no_udp, "TCP 443": self.tcp_443, "TLS 443": self.tls_443}[name]
        self.dropped = 0
        return answer

    def lets(self, packet, outwards):
        if self.passes(packet, outwards):
            return True
        self.dropped += 1
        return False

    def open(self, packet, outwards):
        return True

    def no_udp(self, packet, outwards):
        return packet[0] >> 4 == 4 and packet[9] != UDP

    def tcp_443(self, packet, outwards):
        return packet[0] >> 4 == 4 and packet[9] == TCP and 443 in self.ports(packet)

    def tls_443(self, packet, outwards):
        """The first bytes that a client sends on a connection must be a handshake of TLS (RFC 8446, section 5.1)."""
        if not self.tcp_443(packet, outwards):
            return False
        client, server = ((12, 16), (16, 20)) if outwards else ((16, 20), (12, 16))
        ports = self.ports(packet) if outwards else self.ports(packet)[::-1]
        flow = (packet[slice(*client)], packet[slice(*server)], ports)
        head = (packet[0] & 15) * 4
        payload = packet[head + (packet[head + 12] >> 4) * 4 :]
        if outwards and payload and flow not in self.tls:
            self.tls[flow] = payload[:2] == b"\x16\x03"
        return self.tls.get(flow, True)

    @staticmethod
    def ports(packet):
        return struct.unpack_from("!HH", packet, (packet[0] & 15) * 4)


def readdressed(packet, at, address):
    """A packet of IPv4 with another address at 12 (from) or 16 (to), its checksums brought along (RFC 1624)."""
    packet = bytearray(packet)
    head = (packet[0] & 15) * 4
    before, after = packet[at : at + 4], socket.inet_aton(address)
    packet[at : at + 4] = after
    change = sum(~word & 0xFFFF for word in struct.unpack("!HH", before)) + sum(struct.unpack("!HH", after))
    for place in (10, {TCP: head + 16, UDP: head + 6}.get(packet[9])):
        if place is None or packet[place : place + 2] == b"\0\0":
            continue
        total = (~int.from_bytes(packet[place : place + 2], "big") & 0xFFFF) + change
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        packet[place : place + 2] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(packet)


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
    pid, line = int(sys.argv[1]), json.loads(sys.argv[2])
    near, far, bits = line["near"], line["far"], line["bits"]
    random.seed(line["seed"])
    here = device(near["device"], near["address"], bits, line["nearDefault"] and far["address"])
    enter(pid)
    there = device(far["device"], far["address"], bits, far["gateway"])
    firewall = Firewall()
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
                name = sys.stdin.readline().strip()
                if not name:
                    return
                print(firewall.choose(name), flush=True)
                continue
            way = ways[key.fd]
            try:
                while True:
                    packet = os.read(key.fd, LARGEST_PACKET)
                    outwards = key.fd == there
                    if not firewall.lets(packet, outwards):
                        continue
                    if line["shown"] and packet[0] >> 4 == 4:
                        at, address = (12, line["shown"]) if outwards else (16, far["address"])
                        packet = readdressed(packet, at, address)
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
