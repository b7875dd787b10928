"""Sealing of what a site keeps: one key, one format, files and append-only journals.

Whoever copies the state folder without the key file learns sizes and times and nothing else. Whoever is root on
the machine, or runs as the site's own user, can read the key and so everything: encryption at rest is for disks,
backups and folders that leave the machine, not against its administrators.
"""

from client.vault.journal import Journal
from client.vault.vault import OVERHEAD, Vault, is_sealed

__all__ = ["OVERHEAD", "Journal", "Vault", "is_sealed"]
