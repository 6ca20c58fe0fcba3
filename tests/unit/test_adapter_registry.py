"""Adapters by name: our own, a third party's from an installed package, and a name that nobody knows."""

import pytest

from adapters.alpaca import AlpacaVenue
from adapters.base import Connection
from adapters.registry import UnknownAdapter, known_adapters, make_venue

CONNECTION = Connection("main", "https://x.example", "https://y.example", "key", "secret")


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """A package as an installer leaves it, that offers an adapter `ibkr` and one that calls itself `alpaca`."""
    (tmp_path / "andon_ibkr.py").write_text("def venue(connection):\n    return ('ibkr', connection.name)\n")
    info = tmp_path / "andon_ibkr-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: andon-ibkr\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[andon.adapters]\nibkr = andon_ibkr:venue\nalpaca = andon_ibkr:venue\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_our_own_adapter_is_found():
    assert isinstance(make_venue("alpaca", CONNECTION), AlpacaVenue)


@pytest.mark.usefixtures("third_party")
def test_a_third_party_adapter_is_found_and_can_not_replace_ours():
    assert make_venue("ibkr", CONNECTION) == ("ibkr", "main")
    assert isinstance(make_venue("alpaca", CONNECTION), AlpacaVenue)
    assert known_adapters() == ("alpaca", "ibkr")


@pytest.mark.usefixtures("third_party")
def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(UnknownAdapter, match="'main': there is no adapter 'binance'; known are alpaca, ibkr"):
        make_venue("binance", CONNECTION)
