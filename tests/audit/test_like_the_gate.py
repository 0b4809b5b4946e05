"""The audit and the gate are two programs that read one law: they agree about every call."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from duecall.audit.proofs import prove
from duecall.core.gate_types import Conduct
from tests.audit.story import SECOND, Conditions, Person, Planned, Story
from tests.core.rule_world import COMMON, small_pack

ZONES = (
    "Asia/Ho_Chi_Minh",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",  # half an hour
    "Asia/Kathmandu",  # three quarters
    "Australia/Lord_Howe",  # whose clocks are changed by half an hour
    "Pacific/Kiritimati",  # the date line
    "Pacific/Pago_Pago",
    "America/Santiago",  # whose clocks are changed at midnight
    "UTC",
)
# Nights in which clocks are changed somewhere, year's ends, a leap day, holidays.
STARTS = (
    1_774_742_400,  # 2026-03-29, Berlin on
    1_792_886_400,  # 2026-10-25, Berlin back
    1_772_928_000,  # 2026-03-08, New York on
    1_793_491_200,  # 2026-11-01, New York back
    1_775_318_400,  # 2026-04-05, Lord Howe back, Santiago back
    1_788_652_800,  # 2026-09-06, Santiago on
    1_798_675_200,  # 2026-12-31
    1_835_308_800,  # 2028-02-28
    1_777_507_200,  # 2026-04-30
)
FATES = (
    "unknown",
    "busy",
    "no_answer",
    "rejected",
    "technical",
    "delivered",
    "hung_up",
    "transferred",
    "agent_unavailable",
    "script_error",
    "opted_out",
    "promised",
)
EVENTS = ("attempt", "live", "conversation", "message", "abandon", "machine")
KEYS = ("number", "contact", "account")
DAYS = ("all", "workday", "weekend", "holiday", "mon", "tue", "wed", "thu", "fri", "sat", "sun")


def some(values: tuple[str, ...], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3, unique=True)


ABOUT = st.fixed_dictionaries(
    {},
    optional={
        "purpose": st.sampled_from(("collection", "marketing", "service")),
        "channels": some(("agent", "prerecorded", "ai_agent")),
        "line": st.sampled_from(("mobile", "landline")),
        "region": st.sampled_from(("US-MA", "US-NY")),
        "unless": some(("said_yes", "agent_guaranteed")),
        "valid_from": st.sampled_from(("2026-04-06", "2026-11-02", "2020-01-01")),
        "valid_to": st.sampled_from(("2026-12-31", "2026-04-06", "2028-02-29")),
    },
).map(lambda one: one if one.get("valid_to", "3") > one.get("valid_from", "2") else {})
CLOCKS = ("00:00", "06:30", "08:00", "12:00", "13:45", "20:00", "23:59", "24:00")
SPANS = (
    st.lists(st.sampled_from(CLOCKS), min_size=2, max_size=4, unique=True)
    .map(sorted)
    .map(lambda t: [{"from": a, "to": b} for a, b in zip(t[::2], t[1::2], strict=False)])
)
EVERY_HOUR = {
    "id": "t.every-hour",
    "days": "all",
    "spans": [{"from": "00:00", "to": "24:00"}],
    **COMMON,
}
WINDOWS = st.one_of(
    st.sampled_from(("day", "week", "month")).map(lambda name: {"calendar": name}),
    st.integers(1, 50).map(lambda n: {"rolling_hours": str(n)}),
    st.integers(1, 8).map(lambda n: {"rolling_days": str(n)}),
)


def rule(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(ABOUT, st.fixed_dictionaries(fields)).map(lambda two: {**two[0], **two[1]})


def rules(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(rule(**fields), max_size=2)


COOL_OFFS = st.one_of(
    rule(
        after=st.sampled_from(EVENTS),
        per=some(KEYS),
        days=st.integers(1, 4).map(str),
        first_day_counts=st.sampled_from(("true", "false", "yes", "no")),
    ),
    rule(after=st.sampled_from(EVENTS), per=some(KEYS), hours=st.integers(1, 72).map(str)),
)
PACKS = st.fixed_dictionaries(
    {
        "hours": rules(days=some(DAYS), spans=SPANS),
        "caps": rules(
            counts=some(EVENTS),
            per=st.one_of(some(KEYS), st.sampled_from(KEYS)),
            window=WINDOWS,
            max=st.integers(1, 4).map(str),
        ),
        "gaps": rules(
            after=some(EVENTS), per=some(KEYS), gap=st.sampled_from(("90s", "2h", "1d", "1h30m"))
        ),
        "cool_offs": st.lists(COOL_OFFS, max_size=2),
        "abandonment": rules(
            max_ratio=st.sampled_from(("0.03", "0.2", "0.5")), window=WINDOWS, grace=st.just("2s")
        ),
        "ring": rules(min=st.sampled_from(("15s", "40s"))),
        "require": st.lists(
            st.one_of(
                rule(on_file=st.just("said_yes")),
                rule(not_flagged=st.just("bankrupt")),
                rule(attested=st.just("licence")),
            ),
            max_size=2,
        ),
        "content": st.lists(
            st.one_of(rule(say=st.just("who_calls")), rule(never_say=st.just("threat"))),
            max_size=2,
        ),
        "caller_id": rules(needs=some(("shown", "brandname")))
        | rules(label_max_chars=st.just("4")),
    }
)
CALENDARS = st.fixed_dictionaries(
    {
        "week_start": st.sampled_from(("mon", "sun", "sat")),
        "weekend": some(("fri", "sat", "sun")),
        "holidays": st.sampled_from(("VN", "US", "CN", "DE", "")),
    }
)
OWN_CALENDARS = st.none() | st.fixed_dictionaries(
    {"hours": SPANS},
    optional={
        "weekdays": st.just(["mon", "tue", "wed", "sat", "sun"]),
        "start": st.just("2026-04-01"),
        "end": st.just("2026-11-03"),
        "except_dates": st.just(["2026-10-26", "2026-05-01"]),
    },
)
PEOPLE = st.lists(
    st.builds(
        Person,
        number=st.sampled_from(("n1", "n2")),
        contact=st.sampled_from(("c1", "c2", "")),
        account=st.sampled_from(("1", "2", "")),
        zones=st.lists(st.sampled_from(ZONES), max_size=3, unique=True).map(tuple),
        line=st.sampled_from(("", "mobile", "landline")),
        regions=st.sampled_from(((), ("US-MA",), ("US-NY",))),
        consents=st.sampled_from(((), ("said_yes",), ("agent_guaranteed",))),
        flags=st.sampled_from(((), ("bankrupt",))),
    ),
    min_size=1,
    max_size=4,
)
# Calls begin at whole steps and end in between, so that nobody disagrees about a minute's news.
CALLS = st.lists(
    st.builds(
        Planned,
        person=st.integers(0, 3),
        after_s=st.sampled_from((120, 240, 5_400, 43_200, 86_400)),
        sent_after_us=st.sampled_from((0, 1, 10 * SECOND)),
        lasts_s=st.sampled_from((30, 150, 3_630, 43_230)),
        fate=st.sampled_from(FATES),
        heard_ms=st.sampled_from((0, 5_000)),
        rang=st.booleans(),
    ),
    min_size=1,
    max_size=25,
)
CONDUCTS = st.builds(
    Conduct,
    st.just("overdue"),
    channels=st.sampled_from((4, 5, 1, 2)),
    ring_s=st.sampled_from((20, 30, 120)),
    zone=st.sampled_from(ZONES),
    purpose=st.sampled_from(("collection", "marketing", "service")),
    label=st.sampled_from(("", "A bank")),
)
STOPS = st.lists(
    st.tuples(
        st.integers(0, 24),
        st.integers(0, 3),
        st.sampled_from(KEYS),
        st.sampled_from((None, 60, 5_000, 90_000)),
        st.sampled_from(("", "overdue", "another")),
    ),
    max_size=2,
)
DECLARED = st.fixed_dictionaries(
    {},
    optional={
        "attested": st.just(["licence"]),
        "says": st.just(["who_calls"]),
        "number_shown": st.just(["shown"]),
    },
)


def declared(pack: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """Only words that a rule asks for may be declared."""
    text = str(pack)
    return {name: [w for w in some if f"'{w}'" in text] for name, some in words.items()}


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
    phases=[phase for phase in Phase if phase is not Phase.explain],
)
@given(
    pack=PACKS,
    calendar=CALENDARS,
    words=DECLARED,
    own=OWN_CALENDARS,
    conduct=CONDUCTS,
    people=PEOPLE,
    calls=CALLS,
    stops=STOPS,
    start=st.sampled_from(STARTS),
    shift=st.integers(0, 2_880),
    review=st.sampled_from((None, "2026-04-06", "2026-12-31")),
)
def test_they_agree_about_every_rule_of_every_call(
    pack: dict[str, Any],
    calendar: dict[str, Any],
    words: dict[str, Any],
    own: dict[str, Any] | None,
    conduct: Conduct,
    people: list[Person],
    calls: list[Planned],
    stops: list[Any],
    start: int,
    shift: int,
    review: str | None,
) -> None:
    whole = small_pack(**pack, calendar=calendar)
    if review:
        whole["review_by"] = review
    whole["hours"].append(EVERY_HOUR)  # a pack speaks of every kind of day
    conditions = Conditions(
        whole,
        declared(pack, words),
        own,
        conduct,
        (start + shift * 30) * SECOND,
    )
    story = Story(conditions, people)
    for number, planned in enumerate(calls):
        for at, person, key_kind, lasts_s, campaign in stops:
            if at == number and getattr(people[person % len(people)], key_kind):
                story.stop(person % len(people), key_kind, lasts_s, campaign=campaign)
        planned.person %= len(people)
        story.call(planned)
    proof = prove(story.finish())
    found: dict[str, set[str]] = {name: set() for name in story.said}
    for one in proof.violations:
        if one.law == "L1":  # not the gate's, but the store's
            continue
        assert one.attempt, one
        found[one.attempt].add("hours" if one.law == "L2" and one.rule != "zone" else one.rule)
    assert found == story.said
