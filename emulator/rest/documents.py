"""The static discovery documents that google-api-python-client ships, served under our origin."""

import copy
import json
from functools import cache
from importlib import resources
from typing import Any

Json = dict[str, Any]

SERVED = (
    ("gmail", "v1"),
    ("calendar", "v3"),
    ("people", "v1"),
    ("pubsub", "v1"),
    ("oauth2", "v2"),
    ("serviceusage", "v1"),
)


@cache
def load(api: str, version: str) -> Json:
    """Return Google's own document; callers must not change it.

    Source: https://developers.google.com/discovery/v1/reference/apis
    """
    folder = resources.files("googleapiclient") / "discovery_cache" / "documents"
    document: Json = json.loads((folder / f"{api}.{version}.json").read_text(encoding="utf-8"))
    return document


def at_origin(api: str, version: str, origin: str) -> Json:
    """Return the document with every Google host replaced by `origin` (no slash at its end)."""
    document = copy.deepcopy(load(api, version))
    root = f"{origin}/"
    document["rootUrl"] = root
    document["baseUrl"] = root + document["servicePath"]
    document.pop("mtlsRootUrl", None)
    document.pop("endpoints", None)
    return document


def directory(origin: str) -> Json:
    """Return the list of the APIs that are served here."""
    items = []
    for api, version in SERVED:
        document = load(api, version)
        items.append(
            {
                "kind": "discovery#directoryItem",
                "id": document["id"],
                "name": api,
                "version": version,
                "title": document["title"],
                "description": document["description"],
                "discoveryRestUrl": f"{origin}/discovery/v1/apis/{api}/{version}/rest",
                "preferred": True,
            }
        )
    return {"kind": "discovery#directoryList", "discoveryVersion": "v1", "items": items}
