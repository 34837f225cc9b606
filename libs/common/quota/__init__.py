"""Google's quota, kept by all replicas together: nothing is sent that would be refused.

`model` has the rules, `store` the SQL, `ledger` leases units from the database in slices and
spends them in the process.

    ledger = Ledger(pool, Budgets(), now=clock.now)
    await ledger.spend(account_id, Lane.LIVE, 5)  # or RateLimited
"""

from libs.common.quota.ledger import Ledger
from libs.common.quota.model import Budgets, Lane, Left
from libs.common.quota.store import purge

__all__ = ["Budgets", "Lane", "Ledger", "Left", "purge"]
