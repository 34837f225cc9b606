"""Google's REST machinery, driven by the discovery documents: one engine for every API."""
