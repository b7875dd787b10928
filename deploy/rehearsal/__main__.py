"""`make federation`: a federation of three sites on this machine, from provisioning to a verified model."""

from __future__ import annotations

from deploy.rehearsal.cli import main

main()
