"""Documents of every kind, valid and odd, for properties."""

from __future__ import annotations

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
