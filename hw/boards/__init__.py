"""Boards: one small declarative file each, and what makes bitstreams of them."""
