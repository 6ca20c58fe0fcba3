"""Alpaca's trading API v2: paper, live, or anything that speaks it."""

from adapters.alpaca.venue import AlpacaVenue

__all__ = ["AlpacaVenue"]
