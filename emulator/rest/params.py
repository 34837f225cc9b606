"""Query parameters and bodies, checked as Google's front end checks them."""

from typing import Any

from multidict import MultiDict

from emulator.errors import ApiError, invalid_argument
from emulator.rest import jsontext, schemas
from emulator.rest.methods import Method

Json = dict[str, Any]

_ALWAYS = frozenset({"upload_id", "$alt", "$fields", "$prettyPrint", "pp"})


def query(method: Method, given: MultiDict[str]) -> Json:
    """Return the method's own parameters, converted; the general ones are only checked.

    Raises:
        ApiError: 400; an unknown name, a bad value, a missing required one.
    """
    general = method.document.get("parameters", {})
    result: Json = {}
    for name in dict.fromkeys(given.keys()):
        spec = method.parameters.get(name)
        if spec is None or spec.get("location") != "query":
            if name not in general and name not in _ALWAYS:
                raise _unknown(name, "Cannot bind query parameter. Field could not be found.")
            continue
        values = [_convert(name, text, spec) for text in given.getall(name)]
        result[name] = values if spec.get("repeated") else values[-1]
    for name, spec in method.parameters.items():
        if spec.get("required") and spec.get("location") == "query" and name not in result:
            raise ApiError(400, f"Required parameter: {name}", "required")
    if given.get("alt", "json") != "json":
        raise invalid_argument(f"Unsupported value of alt: {given['alt']}")
    return result


def body(method: Method, raw: bytes) -> Json:
    """Return the decoded JSON body; empty stands for `{}`.

    Raises:
        ApiError: 400; not JSON, not an object, or not what the document describes.
    """
    if method.request is None or not raw.strip():
        return {}
    try:
        value: Json = jsontext.loads(raw)
    except ValueError as exc:
        raise ApiError(400, "Parse Error", "parseError") from exc
    faults = schemas.problems(value, method.request, method.document["schemas"], lenient=True)
    if faults:
        raise _invalid_payload(faults)
    return value


def given(method: Method, raw: bytes) -> Json:
    """Return a body that `body` has accepted with the nulls that it was sent with."""
    if method.request is None or not raw.strip():
        return {}
    value: Json = jsontext.loads(raw, keep_nulls=True)
    return value


def _convert(name: str, text: str, spec: Json) -> Any:
    kind = spec.get("type", "string")
    if kind == "boolean":
        if text.lower() not in {"true", "false", "1", "0"}:
            raise _invalid_value(name, text, "TYPE_BOOL")
        return text.lower() in {"true", "1"}
    schema = {**spec, "type": kind}
    faults = schemas.problems(text, schema, {}, lenient=True)
    if faults:
        raise _invalid_value(name, text, f"TYPE_{str(spec.get('format', kind)).upper()}")
    return int(text) if kind == "integer" else text


def _invalid_value(name: str, text: str, kind: str) -> ApiError:
    return invalid_argument(f"Invalid value at '{name}' ({kind}), \"{text}\"")


def _unknown(name: str, why: str) -> ApiError:
    return invalid_argument(f'Invalid JSON payload received. Unknown name "{name}": {why}')


def _invalid_payload(faults: list[str]) -> ApiError:
    return invalid_argument("Invalid JSON payload received. " + "; ".join(faults))
