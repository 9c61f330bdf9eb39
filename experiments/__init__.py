"""Runs: each module holds one typed `experiment`."""
