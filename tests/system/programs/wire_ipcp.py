#!/usr/bin/python3
"""An IPCP that gives its connection with irmd (descriptor 3) to the test, and stays as long as the test likes."""
import os
import socket
import sys

IRMD = 3

with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as test:
    test.connect(os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "test.sock"))
    socket.send_fds(test, [b"irmd"], [IRMD])
    os.close(IRMD)
    test.recv(1)
