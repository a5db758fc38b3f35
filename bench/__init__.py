"""Measurements, as ratios against a bare baseline in the same run. `make bench`, or `make bench ONLY=seal`."""
