"""Leads a port of loopback here to the same port of loopback in another network namespace: for browsers over there that are
driven through a socket.

usage: bridge.py PID PORT
  PID  a process in the other namespace

Writes `ready` once it listens, and ends with its standard input.
"""
import ctypes
import os
import socket
import sys
import threading

CLONE_NEWNET = 0x40000000


def carry(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()


def lead(near, pid, port):
    """A socket belongs to the namespace that its thread was in when it was made."""
    with open(f"/proc/{pid}/ns/net") as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    try:
        far = socket.create_connection(("127.0.0.1", port))
    except OSError:
        near.close()
        return
    threading.Thread(target=carry, args=(near, far), daemon=True).start()
    carry(far, near)


def listen(pid, port):
    listener = socket.create_server(("127.0.0.1", port))
    print("ready", flush=True)
    while True:
        near, _ = listener.accept()
        threading.Thread(target=lead, args=(near, pid, port), daemon=True).start()


threading.Thread(target=listen, args=(int(sys.argv[1]), int(sys.argv[2])), daemon=True).start()
sys.stdin.read()
os._exit(0)
