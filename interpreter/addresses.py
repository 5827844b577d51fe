"""Which addresses are not connected to, whoever asks for it. Pure.

Whoever may write a policy may name any URL in it, and the interpreter calls it from where it runs: inside of the
cluster, on a node of a cloud. What only answers because of where the caller stands is refused unless the operator
allows it: the machine itself, and what is on its link, which is where clouds keep their metadata.

An address is refused if the narrowest network that it lies in, of those refused and those allowed, is a refused one.
An IPv6 address that stands for an IPv4 address is both: it is refused if either is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import NamedTuple

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

REFUSED = (
    "0.0.0.0/8",  # "this host": Linux connects it to the machine itself
    "127.0.0.0/8",
    "169.254.0.0/16",  # link-local: the metadata of AWS, Azure, Google, Oracle and others
    "100.100.100.200/32",  # the metadata of Alibaba's cloud
    "168.63.129.16/32",  # Azure's agents
    "192.0.0.192/32",  # Oracle's first metadata
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "fe80::/10",
    "fd00:ec2::/32",  # the metadata of AWS (…::254), and its identities of pods (…::23)
    "fd20:ce::254/128",  # the metadata of Google's cloud
    "ff00::/8",
)
"""What is refused before an operator has said anything."""

_LAST = 96
_FOURS = (
    ("::ffff:0:0/96", _LAST),  # IPv4-mapped, RFC 4291 §2.5.5.2
    ("::/96", _LAST),  # IPv4-compatible, RFC 4291 §2.5.5.1
    ("::ffff:0:0:0/96", _LAST),  # IPv4-translated, RFC 2765 §2.1
    ("64:ff9b::/96", _LAST),  # NAT64, RFC 6052 §2.1
    ("64:ff9b:1::/48", _LAST),  # NAT64 of one's own, RFC 8215, with a prefix of 96 bits
    ("2002::/16", 16),  # 6to4, RFC 3056 §2
)
"""Networks of IPv6 addresses that hold an IPv4 address, and after how many bits it stands."""
_FOURS_AT = tuple((IPv6Network(network), 96 - bits) for network, bits in _FOURS)
_SPLIT = IPv6Network("64:ff9b:1::/48")
_TEREDO = IPv6Network("2001::/32")


class AddressProblem(ValueError):
    """What an operator wrote is no network. The message says what to write."""


def networks(text: str) -> tuple[Network, ...]:
    """Networks and single addresses, with commas between them. Raises `AddressProblem`."""
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        raise AddressProblem(f"`{text}` is no network: write it as 10.0.0.0/8 or fd00::/8") from None
    raise AddressProblem(f"`{text}` has bits behind its prefix: write {meant}, or the address without a prefix")


class Refusal(NamedTuple):
    """The form of an address that is refused, and the network for whose sake it is."""

    address: Address
    network: Network


_REFUSED = tuple(ip_network(text) for text in REFUSED)


@dataclass(frozen=True, slots=True)
class Addresses:
    """What may be connected to. `trusted` are the hosts and ports of servers that the operator has named himself: they
    are connected to wherever they are."""

    refused: tuple[Network, ...] = _REFUSED
    allowed: tuple[Network, ...] = ()
    trusted: frozenset[tuple[str, int]] = frozenset()

    def refusing(self, address: Address) -> Refusal | None:
        """Why an address is refused; None if it is not."""
        for form in forms(address):
            if (network := self._refusing(form)) is not None:
                return Refusal(form, network)
        return None

    def _refusing(self, address: Address) -> Network | None:
        refused = _narrowest(address, self.refused)
        allowed = _narrowest(address, self.allowed)
        if refused is None or (allowed is not None and allowed.prefixlen >= refused.prefixlen):
            return None
        return refused

    def trusts(self, host: str, port: int) -> bool:
        """Has the operator named this server?"""
        return (host.lower(), port) in self.trusted


ANY = Addresses(refused=())
"""Nothing is refused: for what runs on a person's own machine."""


def addresses(refuse: str = "", allow: str = "", trusted: Iterable[tuple[str, int]] = ()) -> Addresses:
    """What is refused by itself, and what an operator says. Raises `AddressProblem`."""
    refused, allowed = networks(refuse), networks(allow)
    for network in set(refused) & set(allowed):
        raise AddressProblem(f"{network} is refused and allowed: take it out of one of the two")
    return Addresses((*_REFUSED, *refused), allowed, frozenset(trusted))


def _narrowest(address: Address, among: Iterable[Network]) -> Network | None:
    found = (network for network in among if network.version == address.version and address in network)
    return max(found, key=lambda network: network.prefixlen, default=None)


def forms(address: Address) -> Iterator[Address]:
    """The address, and every IPv4 address that it stands for."""
    yield address
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    for network, below in _FOURS_AT:
        if address in network and not (number >> 32 == 0 and number < 2):  # `::` and `::1` are themselves
            yield IPv4Address((number >> below) & 0xFFFFFFFF)
    if address in _SPLIT:  # a prefix of 48 bits: 16 bits, a byte of zeros, 16 bits (RFC 6052 §2.2)
        yield IPv4Address((number >> 64 & 0xFFFF) << 16 | number >> 40 & 0xFFFF)
    if address in _TEREDO:  # RFC 4380 §4: the server, and the client with every bit turned round
        yield IPv4Address(number >> 64 & 0xFFFFFFFF)
        yield IPv4Address(~number & 0xFFFFFFFF)
