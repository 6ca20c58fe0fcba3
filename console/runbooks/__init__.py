"""Runbook files: what kinds there are, how they are read, what is wrong with them, and how they look on paper."""
