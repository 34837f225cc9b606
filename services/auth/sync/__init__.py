"""The use cases: gather, decide with the domain, act. No transaction is open over HTTP."""
