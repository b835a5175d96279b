"""Documents of every kind, valid and odd, for properties."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from hypothesis import strategies as st

ZONES = st.sampled_from(
    ["Australia/Sydney", "Australia/Lord_Howe", "America/Santiago", "Asia/Kathmandu", "Pacific/Apia", "UTC"]
)
STARTS = st.sampled_from(
    [
        "2026-01-01",
        "2026-04-05T02:30:00",
        "2026-10-04T02:15:00",
        "2026-01-31T09:00:00+11:00",
        "2025-12-31T23:59:59.500000",
    ]
)
ENDS = st.sampled_from(["2030-12-31", "2031-06-30T12:00:00", "2031-01-01T00:00:00-03:00", "9999-12-31"])


def number_list(low: int, high: int, size: int = 3) -> st.SearchStrategy[str]:
    numbers = st.lists(st.integers(low, high), min_size=1, max_size=size, unique=True)
    return numbers.map(lambda values: ",".join(str(value) for value in sorted(values)))


def number_range(low: int, high: int) -> st.SearchStrategy[str]:
    # Two different ends: cronsim takes a range of one number with a step, 5-5/2, for 5/2.
    ends = st.lists(st.integers(low, high), min_size=2, max_size=2, unique=True)
    return ends.map(lambda pair: f"{min(pair)}-{max(pair)}")


def number_field(low: int, high: int) -> st.SearchStrategy[str]:
    return st.one_of(
        st.just("*"),
        st.integers(2, min(11, high - low)).map(lambda step: f"*/{step}"),
        number_list(low, high),
        number_range(low, high),
    )


def crontab_field(low: int, high: int) -> st.SearchStrategy[str]:
    stepped = st.tuples(number_range(low, high), st.integers(1, 70)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    onwards = st.tuples(st.integers(low, high), st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    mixed = st.lists(
        st.one_of(number_range(low, high), st.integers(low, high).map(str), stepped), min_size=2, max_size=3
    )
    return st.one_of(number_field(low, high), stepped, onwards, mixed.map(",".join))


def crontab_lines(*, positions: bool = True) -> st.SearchStrategy[str]:
    weekdays = [crontab_field(0, 7), st.sampled_from(["mon-fri", "sat,sun", "fri", "tue-thu/2"])]
    days = [crontab_field(1, 28)]
    if positions:
        weekdays.append(st.sampled_from(["mon#1", "5L", "3#2", "friL,mon#3"]))
        days.append(st.sampled_from(["L", "15,L"]))
    return st.tuples(
        crontab_field(0, 59),
        crontab_field(0, 23),
        st.one_of(*days),
        st.one_of(crontab_field(1, 12), st.sampled_from(["jan", "mar-jun", "jul"])),
        st.one_of(*weekdays),
    ).map(" ".join)


def _document(kind: str, required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), **required}, optional=optional)


SHARED = {
    "timezone": ZONES,
    "start_date": STARTS,
    "end_date": ENDS,
    "jitter": st.integers(1, 100_000),
}
INTERVALS = st.one_of(
    *(
        _document(
            "interval",
            {unit: st.integers(1, 50)},
            {
                **{
                    other: st.integers(0, 50)
                    for other in ("weeks", "days", "hours", "minutes", "seconds")
                    if other != unit
                },
                **SHARED,
            },
        )
        for unit in ("weeks", "days", "hours", "minutes", "seconds")
    )
)
CRONTABS = _document(
    "cron",
    {"expression": st.one_of(crontab_lines(), st.sampled_from(["@daily", "@hourly", "@weekly", "@yearly"]))},
    SHARED,
)
FIELDS = {
    "year": st.sampled_from(["*", "2027-2035", "*/2"]),
    "month": st.one_of(number_field(1, 12), st.sampled_from(["jan", "mar-jun"])),
    "day": st.one_of(number_field(1, 31), st.sampled_from(["last", "1st mon", "last fri,3rd tue", "15,last"])),
    "week": number_field(1, 53),
    "day_of_week": st.one_of(
        number_field(0, 6).filter(lambda text: len(text) < 4 or "/" not in text),
        st.sampled_from(["mon-fri", "sat,sun"]),
    ),
    "hour": number_field(0, 23),
    "minute": number_field(0, 59),
    "second": number_field(0, 59),
}
CRONS = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: _document(
        "cron", {name: FIELDS[name]}, {**{other: field for other, field in FIELDS.items() if other != name}, **SHARED}
    )
)
DATES = _document("date", {"run_date": st.one_of(STARTS, ENDS)}, {"timezone": ZONES})
CALENDARS = st.one_of(
    *(
        _document(
            "calendar",
            {unit: st.integers(1, 9)},
            {
                **{other: st.integers(0, 9) for other in ("years", "months", "weeks", "days") if other != unit},
                "hour": st.integers(0, 23),
                "minute": st.integers(0, 59),
                "second": st.integers(0, 59),
                "timezone": ZONES,
                "start_date": st.sampled_from(["2026-01-31", "2024-02-29", "2026-01-01"]),
                "end_date": st.sampled_from(["2031-12-31", "9999-12-31"]),
                "jitter": st.integers(1, 60),
            },
        )
        for unit in ("years", "months", "weeks", "days")
    )
)
SINGLES = st.one_of(INTERVALS, CRONS, CRONTABS, DATES, CALENDARS)
ANYS = st.lists(SINGLES, min_size=1, max_size=4).map(lambda children: {"type": "any", "triggers": children})
DOCUMENTS = st.one_of(SINGLES, ANYS)


# --- what the judge can walk: in years of known clocks, on whole minutes -------------------------------------------

#: Zones with a day on which something happens to their clocks, or nothing at all.
PLACES = [
    ("Australia/Sydney", date(2026, 4, 5)),
    ("Australia/Sydney", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Santiago", date(2026, 4, 5)),
    ("America/Santiago", date(2026, 9, 6)),
    ("Asia/Kathmandu", date(2026, 12, 31)),
    ("Pacific/Apia", date(2011, 12, 30)),
    ("UTC", date(2024, 2, 29)),
    ("UTC", date(2026, 12, 31)),
    ("Europe/Berlin", date(2026, 3, 29)),
    ("Europe/Berlin", date(2026, 10, 25)),
    ("America/St_Johns", date(2010, 11, 7)),
    ("America/St_Johns", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Africa/Casablanca", date(2026, 2, 15)),
]


_QUARTERS = st.datetimes(datetime(2010, 1, 1), datetime(2027, 12, 31)).map(
    lambda moment: moment.replace(second=0, microsecond=0, minute=moment.minute // 15 * 15)
)
_BOUNDS = st.one_of(
    _QUARTERS.map(lambda moment: moment.isoformat()),
    _QUARTERS.map(lambda moment: moment.date().isoformat()),
    _QUARTERS.map(lambda moment: f"{moment.isoformat()}+05:45"),
)
_SPANS = {
    "start_date": _BOUNDS.filter(lambda text: text < "2026"),
    "end_date": _BOUNDS.filter(lambda text: text > "2026"),
}
#: The clock's fields are often those at which clocks change.
_JUDGED_FIELDS = {
    "year": st.sampled_from(["*", "2011,2026", "*/2", "2010-2030/3"]),
    "month": st.one_of(st.just("*"), number_field(1, 12), st.sampled_from(["jan", "mar-jun", "sep,oct"])),
    "day": st.one_of(
        st.just("*"),
        st.sampled_from(["last", "1st sun", "last sun,15", "5th mon", "29-31", "*/9"]),
        number_field(1, 31),
    ),
    "week": st.one_of(st.just("*"), number_field(1, 53), st.sampled_from(["1", "52,53", "40-41"])),
    "day_of_week": st.sampled_from(["*", "sun", "mon-fri", "5-6", "0,2", "sat,sun"]),
    "hour": st.one_of(number_field(0, 23), st.sampled_from(["0", "1", "2", "3", "1,2", "0-3", "23", "*", "*/2"])),
    "minute": st.one_of(st.sampled_from(["0", "30", "*/15", "*", "0,15,30,45"]), number_field(0, 59)),
}
_CHOSEN = (
    ("hour", "minute"),
    ("day_of_week", "hour", "minute"),
    ("day", "hour"),
    ("month", "day", "hour"),
    ("week", "day_of_week", "hour"),
    ("year", "month", "day"),
    ("year", "week", "minute"),
    tuple(_JUDGED_FIELDS),
)
_NAMES = st.lists(st.sampled_from(["sun", "mon", "tue", "wed", "thu", "fri", "sat"]), min_size=2, max_size=2)
#: Crontab lines with ranges that end before they begin.
WRAPPING_LINES = st.tuples(
    st.sampled_from(["0", "50-10", "*/20"]),
    st.sampled_from(["22-2", "23-1", "20-4/2", "3"]),
    st.sampled_from(["*", "28-3", "*/2"]),
    st.sampled_from(["*", "nov-feb", "10-3"]),
    st.one_of(st.just("*"), _NAMES.map("-".join), st.sampled_from(["6-1", "7-2", "5-7", "sat-sun"])),
).map(" ".join)
JUDGED_LINES = st.one_of(
    st.tuples(_JUDGED_FIELDS["minute"], _JUDGED_FIELDS["hour"]).map(lambda pair: f"{pair[0]} {pair[1]} * * *"),
    crontab_lines(),
    WRAPPING_LINES,
    st.sampled_from(["@daily", "@hourly", "@weekly", "@monthly", "@yearly"]),
)
JUDGED_CRONS = st.one_of(
    _document("cron", {"expression": JUDGED_LINES}, _SPANS),
    *(
        _document("cron", {name: _JUDGED_FIELDS[name] for name in names}, {**_SPANS, "jitter": st.integers(1, 600)})
        for names in _CHOSEN
    ),
)
JUDGED_INTERVALS = st.one_of(
    *(
        _document("interval", {unit: st.integers(low, high)}, _SPANS)
        for unit, low, high in (("weeks", 1, 9), ("days", 1, 40), ("hours", 1, 99), ("minutes", 240, 9_999))
    )
)
JUDGED_CALENDARS = st.one_of(
    *(
        _document(
            "calendar",
            {unit: st.integers(1, 5)},
            {
                **{other: st.integers(0, 3) for other in ("years", "months", "weeks", "days") if other != unit},
                "hour": st.sampled_from([0, 1, 2, 3, 9, 23]),
                "minute": st.sampled_from([0, 15, 30, 59]),
                "start_date": st.sampled_from(["2010-01-31", "2008-02-29", "2011-12-30", "2026-01-01"]),
                "end_date": st.sampled_from(["2026-10-04", "2027-12-31"]),
            },
        )
        for unit in ("years", "months", "weeks", "days")
    )
)
_MOMENTS = st.datetimes(datetime(2010, 1, 1), datetime(2027, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0).isoformat()
)
JUDGED_DATES = _document(
    "date", {"run_date": st.one_of(_MOMENTS, _BOUNDS, _MOMENTS.map(lambda text: f"{text}-03:30"))}, {}
)
_JUDGED_SINGLES = st.one_of(JUDGED_CRONS, JUDGED_INTERVALS, JUDGED_CALENDARS, JUDGED_DATES)
JUDGED = {
    "cron": JUDGED_CRONS,
    "interval": JUDGED_INTERVALS,
    "calendar": JUDGED_CALENDARS,
    "date": JUDGED_DATES,
    "any": st.lists(_JUDGED_SINGLES, min_size=2, max_size=3).map(
        lambda children: {"type": "any", "triggers": children}
    ),
}


def in_zone(document: dict[str, Any], zone: str) -> dict[str, Any]:
    """Return a document as one of a zone."""
    if document["type"] == "any":
        return {**document, "triggers": [in_zone(child, zone) for child in document["triggers"]]}
    return {**document, "timezone": zone}
