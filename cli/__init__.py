"""`causeway`: the operator's and developer's command."""
