"""Google accounts people connect: consent, grants, the token vault, revocation.

Owns the database of accounts, connections, tickets and sealed tokens, and is the only
refresher of Google tokens. Events out: `auth.connection.authorized.v1`, `.changed.v1`,
`.reauthorization_required.v1`, `.disconnected.v1`. Events in: none. Google: the OAuth 2.0
authorization, token and revocation endpoints and the OpenID Connect certificates.
"""
