"""Protects what an operator and the defaults refuse: an address is refused in every form in which it can be written."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address

import pytest

from interpreter.addresses import ANY, Addresses, AddressProblem, addresses, forms
from interpreter.connecting import literal

METADATA = "169.254.169.254"


@pytest.mark.parametrize(
    "text",
    [
        *("127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", METADATA, "169.254.170.23", "100.100.100.200"),
        *("168.63.129.16", "192.0.0.192", "255.255.255.255", "224.0.0.1"),
        *(
            "::",
            "::1",
            "fe80::1",
            "fe80::1%eth0",
            "febf::1",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "ff02::1",
        ),
        "::ffff:169.254.169.254",  # mapped
        "::ffff:7f00:1",
        "::127.0.0.1",  # compatible
        "::ffff:0:169.254.169.254",  # translated
        "64:ff9b::a9fe:a9fe",  # NAT64
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::169.254.169.254",
        "64:ff9b:1:a9fe:a9:fe00::",  # NAT64 of one's own, with a prefix of 48 bits
        "2002:a9fe:a9fe::1",  # 6to4
        "2001:0:a9fe:a9fe::1",  # Teredo: the server
        "2001:0:102:304:0:0:5601:5601",  # Teredo: the client
    ],
)
def test_what_answers_because_of_where_we_stand_is_refused(text: str) -> None:
    assert Addresses().refusing(ip_address(text)) is not None
    assert ANY.refusing(ip_address(text)) is None


@pytest.mark.parametrize(
    "text",
    [
        *("10.96.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "8.8.8.8", "128.0.0.1", "126.255.255.255"),
        *("169.253.255.255", "169.255.0.0", "1.0.0.0", "fd00::1", "2606:4700::1111", "fec0::1", "::ffff:10.0.0.1"),
        *("64:ff9b::8.8.8.8", "2002:0808:0808::1", "2001:db8::1"),
    ],
)
def test_other_servers_are_not(text: str) -> None:
    assert Addresses().refusing(ip_address(text)) is None


def test_the_narrowest_network_decides() -> None:
    given = addresses(refuse="10.0.0.0/8, 10.1.2.0/24,0.0.0.0/0", allow="10.1.0.0/16,127.0.0.0/8,169.254.0.0/15")

    def refused(text: str) -> str | None:
        refusal = given.refusing(ip_address(text))
        return None if refusal is None else str(refusal.network)

    assert refused("10.2.0.1") == "10.0.0.0/8"
    assert refused("10.1.0.1") is None
    assert refused("10.1.2.3") == "10.1.2.0/24"
    assert refused("8.8.8.8") == "0.0.0.0/0"
    assert refused("127.0.0.1") is None  # as wide as what is refused by itself: said by the operator
    assert refused(METADATA) == "169.254.0.0/16"  # whoever allows a wide network did not mean this
    assert refused("::ffff:10.1.0.1") is None
    assert refused("::ffff:10.2.0.1") == "10.0.0.0/8"


def test_a_server_that_the_operator_named_is_trusted_by_name_and_port() -> None:
    given = addresses(trusted=[("prometheus", 9090)])
    assert given.trusts("Prometheus", 9090)
    assert not given.trusts("prometheus", 9091)
    assert not given.trusts("prometheus.shop", 9090)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("10.0.0.1/8", "`10.0.0.1/8` has bits behind its prefix: write 10.0.0.0/8, or the address without a prefix"),
        ("ten", "`ten` is no network: write it as 10.0.0.0/8 or fd00::/8"),
        ("10.0.0.0/8,fd00::/129", "`fd00::/129` is no network: write it as 10.0.0.0/8 or fd00::/8"),
    ],
)
def test_what_is_no_network_is_said_to_be_none(text: str, why: str) -> None:
    with pytest.raises(AddressProblem) as caught:
        addresses(refuse=text)
    assert str(caught.value) == why


def test_what_is_refused_and_allowed_is_neither() -> None:
    with pytest.raises(AddressProblem, match=r"10\.0\.0\.0/8 is refused and allowed"):
        addresses(refuse="10.0.0.0/8", allow="10.0.0.0/8")


def test_an_address_that_is_itself_stands_for_no_other() -> None:
    assert list(forms(ip_address("::1"))) == [ip_address("::1")]
    assert list(forms(ip_address("2606:4700::1111"))) == [ip_address("2606:4700::1111")]
    assert IPv4Address("1.2.3.4") in forms(ip_address("2001:0:a9fe:a9fe:0:0:fefd:fcfb"))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        *(
            (text, "127.0.0.1")
            for text in ("127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost", "A.localhost.")
        ),
        ("[::1]", "::1"),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        (METADATA, METADATA),
    ],
)
def test_an_address_is_known_in_any_spelling(host: str, address: str) -> None:
    assert literal(host) == ip_address(address)


@pytest.mark.parametrize("host", ["metadata.google.internal", "web.shop", "127.0.0.1.example.com", "", "a" * 300])
def test_a_name_is_no_address(host: str) -> None:
    assert literal(host) is None
