"""Measurements that feed ``docs/results``: nothing of the product imports them."""
