"""One series becomes two, where somebody edits an occurrence and all that follow.

Source: https://developers.google.com/workspace/calendar/api/guides/recurringevents
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from libs.common.errors import InvalidInput
from services.calendar.domain.event import Event
from services.calendar.domain.rules import Rule, Rules, lines_of
from services.calendar.domain.series import DAY, Original, Series
from services.calendar.domain.times import Days, Span, When, length, original_of, zone_of
from services.calendar.domain.walls import count_before


def split(master: Event, at: str, *, zone: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the recurrence of a series up to an occurrence, and of the series that begins there.

    The first is () when nothing comes before: then the whole series is meant. The second is ()
    when nothing follows: then what begins there is a single event.

    Args:
        master: the series.
        at: the key of the occurrence.
        zone: the calendar's, as for `expand`.

    Raises:
        InvalidInput: the series does not lead there (names `id`), or only an RDATE does, at which
            its rule cannot begin anew (names `scope`).
    """
    series, original = Series.of(master, zone=zone), original_of(at)
    if series is None or not series.has(original):
        raise InvalidInput.field("id", "names no occurrence of the series")
    wall = series.wall(original)
    if not any(one < original for one in series.originals(series.first_wall, wall)):
        return (), lines_of(series.rules)
    rules = series.rules
    if rules.rules and not any(
        original in set(series.by_rule(one, wall - DAY, wall + DAY)) for one in rules.rules
    ):
        raise InvalidInput.field("scope", "cannot be `following` at an extra date of a series")
    return lines_of(_before(series, original)), lines_of(_after(series, original))


def shifted(first: When, *, at: When, wanted: When) -> When:
    """Return when a series begins after its occurrence `at` was put at `wanted`.

    All of it moves by as much as the clock on the wall says, and lasts as long as `wanted` does.

    Raises:
        InvalidInput: it would become one of whole days, or no more; names `time`.
    """
    if isinstance(first, Days) and isinstance(at, Days) and isinstance(wanted, Days):
        start = first.start + (wanted.start - at.start)
        return Days(start, start + length(wanted))
    if isinstance(first, Span) and isinstance(at, Span) and isinstance(wanted, Span):
        zone = zone_of(first.zone or "UTC")
        by = _wall(wanted, zone) - _wall(at, zone)
        begins = (_wall(first, zone) + by).replace(tzinfo=zone).astimezone(UTC)
        return Span(begins, begins + length(wanted), first.zone)
    raise InvalidInput.field("time", "of a whole series stays of the same kind")


def _wall(when: Span, zone: ZoneInfo) -> datetime:
    return when.start.astimezone(zone).replace(tzinfo=None)


def _before(series: Series, original: Original) -> Rules:
    rules = series.rules
    return Rules(
        rules=tuple(_ended(series, one, original) for one in rules.rules),
        excluded=rules.excluded,
        dates=tuple(one for one in series.dates if one < original),
        except_dates=tuple(one for one in series.resolved(rules.except_dates) if one < original),
    )


def _ended(series: Series, rule: Rule, original: Original) -> Rule:
    """Return a rule that ends just before `original`, where Google's own programs put UNTIL."""
    last = original - (timedelta(seconds=1) if isinstance(original, datetime) else DAY)
    if rule.until is not None:
        last = min(last, series.until(rule.until))
    return replace(rule, count=None, until=last)


def _after(series: Series, original: Original) -> Rules:
    rules = series.rules
    following = [_begun(series, one, original) for one in rules.rules]
    return Rules(
        rules=tuple(one for one in following if one is not None),
        excluded=rules.excluded,
        dates=tuple(one for one in series.dates if one > original),
        except_dates=tuple(one for one in series.resolved(rules.except_dates) if one > original),
    )


def _begun(series: Series, rule: Rule, original: Original) -> Rule | None:
    """Return what of a rule is left from `original` on; None: nothing."""
    if rule.until is not None and series.until(rule.until) < original:
        return None
    if rule.count is None:
        return rule
    left = rule.count - count_before(rule, series.first_wall, series.wall(original))
    return replace(rule, count=left) if left > 0 else None
