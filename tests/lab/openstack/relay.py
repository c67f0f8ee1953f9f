#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""relay.py NETNS ADDRESS PORT NETNS ADDRESS PORT - carries connections from one network to another.

Listens at the first place and connects to the second.  NETNS is a path such as /run/netns/NAME, or "-" for the one
that this runs in.  Two labs on one machine have networks of their own; where a test needs both, this is the wire.
"""
import ctypes
import os
import socket
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)


def inside(netns, function):
    """Sockets stay in the network that they were made in."""
    there = HOME if netns == "-" else os.open(netns, os.O_RDONLY)
    if libc.setns(there, 0) < 0:
        raise OSError(ctypes.get_errno(), "setns")
    try:
        return function()
    finally:
        libc.setns(HOME, 0)
        if there != HOME:
            os.close(there)


def carry(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end, how in (source, socket.SHUT_RD), (sink, socket.SHUT_WR):
        try:
            end.shutdown(how)
        except OSError:
            pass


def serve(near):
    with near:
        try:
            far = inside(sys.argv[4], lambda: socket.create_connection((sys.argv[5], int(sys.argv[6])), 10))
        except OSError:
            return
        far.settimeout(None)
        with far:
            back = threading.Thread(target=carry, args=(far, near), daemon=True)
            back.start()
            carry(near, far)
            back.join()


door = inside(sys.argv[1], lambda: socket.create_server((sys.argv[2], int(sys.argv[3])), backlog=100))
print("listens", flush=True)
while True:
    threading.Thread(target=serve, args=(door.accept()[0],), daemon=True).start()
