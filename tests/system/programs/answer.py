#!/usr/bin/python3
"""answer.py LIBRARY ARGUMENT... - what answer.c is, as a script: the daemon knows it by the script's own path."""
import ctypes
import os
import sys

library = ctypes.CDLL(sys.argv[1])
text = ("%d %d" % (os.getpid(), os.getuid()) + "".join(" [%s]" % word for word in sys.argv[1:])).encode()
while True:
    fd = library.flow_accept(None, None)
    if fd < 0:
        sys.exit(1)
    library.flow_write(fd, text, ctypes.c_size_t(len(text)))
    library.flow_dealloc(fd)
