"""Free loopback ports that stay ours from the moment they are chosen."""

from __future__ import annotations

import socket
import sys

LOOPBACK = "127.0.0.1"


class PortReservation:
    """A number of free ports on the loopback address, kept from others until `release`.

    On Linux a bound socket that does not listen, with SO_REUSEADDR, lets the server bind and listen on the same port
    (servers set SO_REUSEADDR too) while the kernel gives the port to nobody else. So two stacks that start at the same
    time never meet, and a server that is restarted finds its port free. Elsewhere the port is let go at once and only
    the small race of every free-port search remains.
    """

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def take(self) -> int:
        """Reserve one more port."""
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind((LOOPBACK, 0))
        port: int = holder.getsockname()[1]
        if sys.platform == "linux":
            self._held.append(holder)
        else:
            holder.close()
        return port

    def release(self) -> None:
        """Let all ports go."""
        for holder in self._held:
            holder.close()
        self._held.clear()
