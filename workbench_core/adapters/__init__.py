"""Adapters: each folder implements the ports for one backend."""
