"""Andon: the stop cord for automated trading desks."""

__version__ = "0.1.0"
