"""OAuth 2.0 and OpenID Connect as Google speaks them, with a consent page for browsers."""
