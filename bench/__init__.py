"""Measurements that anybody can repeat: `make bench` prints a table per module; bench/RESULTS.md keeps the printed results."""
