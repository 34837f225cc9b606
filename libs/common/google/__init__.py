"""Everything the services know about speaking to Google, and nothing about what they say.

`roots` says where Google is, `discovery` makes requests, `transport` sends them, `errors`
reads refusals, `oauth` and `oidc` deal in tokens, `accounts` gets access tokens from auth.
"""
