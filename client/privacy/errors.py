"""What the ledger refuses, and why."""

from __future__ import annotations

from shared_model.errors import FedFundusError


class LedgerError(FedFundusError):
    """The privacy ledger is lost, or it is not as this site wrote it: nothing may be charged or sent."""


class BudgetExhausted(FedFundusError):
    """The site's privacy limit would be passed."""

    exit_code = 3
