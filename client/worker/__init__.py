"""The worker holds data, model and caches; everything that protects a patient happens in it."""

from client.worker.worker import Worker

__all__ = ["Worker"]
