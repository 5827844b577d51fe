"""A network of the stage's own, where every address that a pod can have is one of this machine's.

Linux gives a process a network namespace of its own for the asking; it begins with a loopback interface that is down,
and nothing else. There KWOK's pods can have servers at their own addresses, two stages never meet, and nothing has to
be put back: the network is gone with the last process in it. Root may ask for one, and so may anybody who may have a
user namespace of their own, where they are root.

An address with a mask on a loopback interface makes the whole range local, as 127.0.0.1/8 does.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import sys
from ipaddress import IPv4Network
from pathlib import Path

from tests.controlplane.plane import PODS
from tests.goprograms import UnavailableError

ROOT = Path(__file__).parents[2]
_WAYS = (("unshare", "--net"), ("unshare", "--map-root-user", "--net"))

_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C
_IFF_UP, _IFF_LOOPBACK, _IFF_RUNNING = 0x1, 0x8, 0x40


def way_in() -> tuple[str, ...]:
    """The words before a command that run it in a network of its own. Raises UnavailableError."""
    said = "this is not Linux"
    for way in _WAYS if sys.platform.startswith("linux") else ():
        try:
            tried = subprocess.run(
                (*way, sys.executable, "-m", "tests.e2e.network"), cwd=ROOT, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise UnavailableError(f"`unshare` of util-linux is needed, and cannot be run: {error.strerror}") from error
        if tried.returncode == 0:
            return way
        said = (tried.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise UnavailableError(
        "pods need addresses of their own, and neither root's way nor a user namespace gives this process a network of "
        f"its own ({said}); run it as root, or allow user namespaces"
    )


def set_up(pods: IPv4Network = PODS) -> None:
    """Make the loopback interface of this network work, for 127.0.0.1 and the pods. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:

        def tell(request: int, interface: str, value: bytes) -> None:
            fcntl.ioctl(control, request, struct.pack("16s16s", interface.encode(), value))

        tell(_SIOCSIFFLAGS, "lo", struct.pack("h", _IFF_UP | _IFF_LOOPBACK | _IFF_RUNNING))
        tell(_SIOCSIFADDR, "lo:0", _address(str(pods[1])))
        tell(_SIOCSIFNETMASK, "lo:0", _address(str(pods.netmask)))
    with socket.socket() as probe:
        probe.bind((str(pods[-2]), 0))


def processes() -> list[str]:
    """The command lines of the other processes in this network."""
    ours, found = os.readlink("/proc/self/ns/net"), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.name != str(os.getpid()) and os.readlink(folder / "ns" / "net") == ours:
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip())
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
    return found


def _address(text: str) -> bytes:
    """A sockaddr_in."""
    return struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(text))


if __name__ == "__main__":
    set_up()
