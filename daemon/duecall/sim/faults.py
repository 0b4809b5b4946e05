"""The faults that the simulator knows: what each does, how often, and what Duecall does then.

docs/architecture.md has a page of them; a test keeps the two in step.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """rates: least and most; each_time: the chance that it strikes where it can strike, else how
    often it strikes in a minute. heals: how it ends. then: what Duecall does. seen: where a person
    sees it."""

    name: str
    what: str
    then: str
    seen: str
    heals: str
    rates: tuple[float, float]
    each_time: bool = False


EVENT, MINUTE = True, False


def _fault(
    name: str, kind: bool, least: float, most: float, what: str, then: str, seen: str, heals: str
) -> Fault:
    return Fault(name, what, then, seen, heals, (least, most), kind)


TABLE: tuple[Fault, ...] = (
    _fault(
        "event_lost", EVENT, 0.02, 0.5,
        "An event of the switch is never heard.",
        "Stages that were missed are skipped. A call that is silent for too long is asked after; "
        "its call record, its key record or the switch tells how it ended.",
        "`status`: the call stays in an early stage for a while",
        "the next event arrives",
    ),
    _fault(
        "event_doubled", EVENT, 0.02, 0.5,
        "An event is heard twice.",
        "The second one changes nothing.",
        "nowhere",
        "by itself",
    ),
    _fault(
        "event_late", EVENT, 0.02, 0.5,
        "An event is heard up to a minute late.",
        "It changes nothing if its call has moved on; else it counts as heard now.",
        "`status`: the call stays in an early stage for a while",
        "by itself",
    ),
    _fault(
        "event_reordered", EVENT, 0.05, 0.8,
        "Events of one call are heard in another order.",
        "Stages only move right: an earlier stage that is heard later is passed over.",
        "nowhere",
        "by itself",
    ),
    _fault(
        "link_cut", MINUTE, 0.3, 6.0,
        "The link to the switch breaks; what was on its way is lost.",
        "Nothing is sent. Calls go on in the switch. When the link is back, the switch says which "
        "of our channels live, and the others are asked after. Nothing is sent twice.",
        "`status`: switch not connected; alarm `the switch is not there`",
        "the daemon connects again, with growing pauses up to 10 s",
    ),
    _fault(
        "link_slow", MINUTE, 0.3, 2.0,
        "Everything on the link takes seconds.",
        "At most a quarter of a second's calls are sent while the switch has not yet "
        "acknowledged them: they may not arrive in one burst.",
        "`status`: fewer calls than the trunk allows",
        "after a minute at most",
    ),
    _fault(
        "switch_killed", MINUTE, 0.2, 3.0,
        "The switch dies: all channels are gone, some records are missing or half written.",
        "Accepted keys are in the key records: an opt-out is stored. Calls without any evidence "
        "become `unknown`, which counts, and the retry rules decide.",
        "`status`: switch not connected; alarm `the switch is not there`; outcome `unknown`",
        "it is started anew",
    ),
    _fault(
        "switch_frozen", MINUTE, 0.2, 2.0,
        "The switch stops answering without dying, and goes on later.",
        "At most a quarter of a second's calls are sent into the silence; these ring when it goes "
        "on. Its channels are met again then; nothing is sent twice.",
        "`status`: switch not connected, once its heartbeat has been missed",
        "it is thawed after seconds or minutes",
    ),
    _fault(
        "daemon_killed", MINUTE, 0.3, 6.0,
        "The daemon is killed (SIGKILL): what was not durable is lost.",
        "Calls go on in the switch. The next start takes up every attempt without an outcome, "
        "never sends it again, and asks what became of it.",
        "log of the next start: attempts of an earlier run; `status`: since",
        "it is started anew",
    ),
    _fault(
        "killed_at_commit", EVENT, 0.002, 0.05,
        "The daemon is killed after a commit and before it knows of it.",
        "The attempt is durable and was not sent. The next start cannot know that: it asks, "
        "hears nothing, and settles it as `unknown`.",
        "outcome `unknown`",
        "it is started anew",
    ),
    _fault(
        "killed_in_turn", EVENT, 0.001, 0.02,
        "The daemon is killed while it carries out what it has decided.",
        "What was durable is taken up by the next start; the rest never happened.",
        "log of the next start",
        "it is started anew",
    ),
    _fault(
        "daemon_suspended", MINUTE, 0.2, 2.0,
        "The daemon does not run for minutes; both clocks jump.",
        "What was saved before and not sent is not sent any more. There is no burst: the rate "
        "begins anew. Silent calls are asked after.",
        "`status` does not answer meanwhile; later, outcome `technical` of what was not sent",
        "it goes on after up to ten minutes",
    ),
    _fault(
        "machine_suspended", MINUTE, 0.2, 2.0,
        "The daemon's machine sleeps: the wall clock jumps, the monotonic one has stood still.",
        "As above: what was durable for too long by either clock is not sent.",
        "as above",
        "it wakes after up to ten minutes",
    ),
    _fault(
        "clock_stepped", MINUTE, 0.2, 3.0,
        "The wall clock of the daemon's machine is put on or back.",
        "Calling hours go by the wall clock as it is in the moment of sending. Pacing and "
        "time-outs go by the monotonic clock and notice nothing.",
        "times in the log",
        "it is set right again",
    ),
    _fault(
        "database_slow", EVENT, 0.02, 0.5,
        "A commit takes seconds.",
        "The hub does not wait. Attempts are sent when they are durable, and not if that was too "
        "long ago. At most a quarter of a second's calls are saved ahead.",
        "`status`: fewer calls than the trunk allows",
        "by itself",
    ),
    _fault(
        "database_refuses", MINUTE, 0.2, 3.0,
        "The database refuses to write: disk full, file locked, server away.",
        "Nothing is sent, since nothing becomes durable. The batch is kept and tried again each "
        "second. Live calls go on; their outcomes wait.",
        "`status`: database; alarm `the database refuses to write`",
        "it writes again",
    ),
    _fault(
        "commit_answer_lost", EVENT, 0.02, 0.3,
        "The database commits, and is restarted before it can say so: the batch comes again.",
        "The second time changes nothing and is answered as the first would have been.",
        "log: the batch was tried again",
        "by itself",
    ),
    _fault(
        "prompts_fail", EVENT, 0.05, 0.5,
        "What is to be said cannot be made: no voice, no disk.",
        "The contacts go back, and are asked for again half a minute later.",
        "`status`: trouble; alarm `prompts cannot be made`",
        "the voice is there again",
    ),
    _fault(
        "prompts_slow", EVENT, 0.1, 0.6,
        "Making prompts takes seconds.",
        "The hopper is filled late; what was loaded before a change goes back.",
        "`status`: hopper 0",
        "by itself",
    ),
    _fault(
        "operator_restless", MINUTE, 1.0, 12.0,
        "The operator pauses, resumes, stops and starts campaigns, and imports contacts.",
        "Nothing is sent for a campaign from the moment in which the daemon knows; what was saved "
        "and not sent is settled as not sent, and is due again when the campaign goes on.",
        "`status`: state of the campaign",
        "the operator starts all campaigns",
    ),
    _fault(
        "number_stopped", MINUTE, 1.0, 12.0,
        "A number is put on the stop list from outside, also while its attempt waits to be sent.",
        "The store refuses new attempts at once. From the moment in which the daemon knows, "
        "nothing that is saved or prepared for the number is sent.",
        "`report`: number is on the stop list",
        "never: it is the law",
    ),
    _fault(
        "daemon_drained", MINUTE, 0.2, 2.0,
        "The daemon gets SIGTERM, and sometimes a second one.",
        "No new calls. What was saved and not sent is settled as not sent. Live calls may end "
        "within the time of the drain; the second signal ends that. The next start takes up the "
        "rest.",
        "`status`: draining",
        "it is started anew",
    ),
    _fault(
        "record_missing", EVENT, 0.05, 0.7,
        "The switch writes no call record.",
        "The event tells how the call ended. Where that is lost too, the key record tells the "
        "accepted key; without it the outcome is `unknown`.",
        "outcome `unknown`",
        "by itself",
    ),
    _fault(
        "record_half", EVENT, 0.05, 0.5,
        "A call record is cut off, and never becomes whole.",
        "It is no evidence; the rest as above.",
        "log: a call record cannot be read",
        "by itself",
    ),
    _fault(
        "record_late", EVENT, 0.05, 0.5,
        "A call record is written seconds after the call.",
        "Who asks before that hears nothing of it: `unknown`.",
        "outcome `unknown`",
        "by itself",
    ),
    _fault(
        "originate_lost", EVENT, 0.01, 0.2,
        "An originate never reaches the switch, and nobody says so.",
        "It is never sent again. It is asked after when it is silent for too long: `unknown`.",
        "outcome `unknown`",
        "by itself",
    ),
    _fault(
        "daemon_lost", MINUTE, 0.1, 1.0,
        "One of two daemons dies and stays away for long.",
        "The other one takes its contacts when its lease has ended, and its open attempts when "
        "they cannot be live any more; without evidence these become `unknown`.",
        "log: attempts of another daemon are taken over",
        "it is started anew",
    ),
    _fault(
        "stops_changed", MINUTE, 1.0, 12.0,
        "Contacts, accounts, prefixes, or a number in one campaign or for a while, are stopped "
        "from outside; or such a stop is lifted.",
        "The store refuses new attempts at once. From the moment in which the daemon knows, what "
        "is saved and not sent is taken back, what was loaded is asked for anew, and the gate "
        "judges by the stops as they are.",
        "`why`: stopped, by whom and until when",
        "it ends at its moment, or is lifted",
    ),
)  # fmt: skip

BY_NAME = {fault.name: fault for fault in TABLE}


def draw(chance: random.Random, two_daemons: bool, law: bool = False) -> dict[str, float]:
    """The rates of one story: calm, one fault alone, some, or all at once. law: people are known by
    more than their number, and can be stopped by that."""
    left_out = {
        name for name, fits in (("daemon_lost", two_daemons), ("stops_changed", law)) if not fits
    }
    known = [fault for fault in TABLE if fault.name not in left_out]
    style = chance.choices(("calm", "one", "some", "violent"), (1, 5, 4, 3))[0]
    if style == "calm":
        chosen = []
    elif style == "one":
        chosen = [chance.choice(known)]
    elif style == "some":
        chosen = [fault for fault in known if chance.random() < 0.3]
    else:
        chosen = [fault for fault in known if chance.random() < 0.85]
    heat = 1.0 if style == "one" else chance.choice((0.2, 0.5, 1.0))
    rates = {}
    for fault in chosen:
        least, most = fault.rates
        rates[fault.name] = least + (most - least) * chance.random() * heat
    return rates
