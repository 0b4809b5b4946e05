"""One run: a site, its callees, a campaign, the mayhem over it, the healing, and the judgement."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from duecall.shell import control
from duecall.shell.loopback_site import LoopbackSite, SwitchKind
from duecall.shell.vault import Vault
from sipp_scenarios.field import Field
from tests.chaos import people
from tests.chaos.books import (
    Books,
    Entry,
    PostgresReader,
    Reader,
    SqliteReader,
    Unavailable,
    all_done,
    read_books,
    share_done,
    states,
)
from tests.chaos.esl_relay import EslRelay
from tests.chaos.ground_truth import Call, Span, Truth, observe
from tests.chaos.judge import Rules, Verdict, Violation, judge
from tests.chaos.mayhem import Amounts, Mayhem, plan
from tests.chaos.parts import DaemonPart, DatabasePart, Diary, Part, SwitchPart, wait_until
from tests.chaos.witness import Witness
from tests.postgres_server import PostgresServer

DatabaseKind = Literal["sqlite", "postgres"]
AGENTS = ("agent-busy", "agent-answers")
BACK_S = 1.0  # a part that ended by itself is started again after so long
LOOK_S = 0.25
HEAL_S = 240.0  # all contacts are done with within this after the last fault: law L10
QUIET_S = 60.0  # and all calls are over
# The pocket switch calls from worker processes, which come late on a busy machine.
JITTER_S: dict[SwitchKind, float] = {"freeswitch": 0.25, "pocket": 0.75}
_FAULT = re.compile(r"Traceback|the dialer failed|has failed in|dropped a command|not foreseen")


@dataclass(frozen=True)
class Settings:
    """kind: which switch. folder: for this run alone."""

    folder: Path
    kind: SwitchKind
    amounts: Amounts
    seed: int
    contacts: int
    database: DatabaseKind = "sqlite"
    channels: int = 12
    calls_per_second: float = 6


@dataclass
class Result:
    """What a run came to. hits: (part, what) -> how often; with_calls: … while calls were up."""

    settings: Settings
    verdict: Verdict
    hits: Counter[tuple[str, str]]
    with_calls: Counter[tuple[str, str]]
    outcomes: Counter[str]
    calls: int
    presses: int
    seconds: float
    healed_s: float
    ended_by_themselves: list[str] = field(default_factory=list)


Progress = Callable[[str, int, int], None]  # what is going on, how far, of how much


class ChaosRun:
    """`run()` once. Leaves everything it wrote in the folder; ends all its processes."""

    def __init__(
        self, settings: Settings, progress: Progress = lambda what, done, of: None
    ) -> None:
        self.settings = settings
        self._progress = progress
        self._folder = settings.folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self.diary = Diary(self._folder / "mayhem.csv")
        self._people = people.crowd(settings.contacts, settings.seed)
        self._troubles: list[Violation] = []
        self._ended_by_themselves: list[str] = []
        self._share_done = 0.0
        self._known: dict[str, str] = {}  # hash -> number
        self._parts: dict[str, Part] = {}
        self._server: PostgresServer | None = None

    def run(self) -> Result:
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            self._set_up(stack)
            self._start_campaign()
            self._rage()
            healed_s = self._heal()
            report = self._end()
            over = time.time()
            truth = observe(
                self._field, self.diary.times("switch", "killed"), self._stood_still(), over
            )
            books = read_books(self._reader, self._known, report)
            self._write_down(books)
            self._field.check_alive()
        settings = self.settings
        rules = Rules(
            people.MAX_ATTEMPTS,
            settings.channels,
            settings.calls_per_second,
            JITTER_S[settings.kind],
        )
        verdict = judge(truth, books, rules, self._witness.seen)
        verdict.violations += self._troubles + self._faults_in_log()
        hits = Counter((h.part, h.what) for h in self.diary.happenings)
        return Result(
            settings=self.settings,
            verdict=verdict,
            hits=hits,
            with_calls=self._with_calls(truth),
            outcomes=Counter(entry.outcome or "open" for entry in books.entries),
            calls=len(truth.calls),
            presses=len(truth.presses),
            seconds=time.monotonic() - began,
            healed_s=healed_s,
            ended_by_themselves=self._ended_by_themselves,
        )

    # ---- set up

    def _set_up(self, stack: contextlib.ExitStack) -> None:
        folder, settings = self._folder, self.settings
        numbers = folder / "numbers.csv"
        people.write_numbers(numbers, self._people)
        self._field = stack.enter_context(
            Field(
                folder / "callees",
                numbers=numbers,
                agents=AGENTS,
                timing=people.TIMING,
                trace_calls=True,
            )
        )
        database = self._database_url(stack)
        self._site = LoopbackSite(
            folder,
            settings.kind,
            proxy=self._field.proxy,
            agents=[self._field.agents[name] for name in AGENTS],
            channels=settings.channels,
            calls_per_second=settings.calls_per_second,
            agent_ring_s=5,
            agent_wait_s=10,
            database=database,
        )
        stack.callback(self._site.stop_switch)
        self._relay = stack.enter_context(EslRelay(self._site.esl_port))
        self._lead_through_relay()
        people.write_contacts(folder / f"{people.NAME}.csv", self._people, settings.seed)
        (folder / f"{people.NAME}.yaml").write_text(
            yaml.safe_dump(people.short_campaign(), allow_unicode=True)
        )
        self._daemon = DaemonPart(self.diary, self._site)
        self._switch = SwitchPart(self.diary, self._site)
        self._parts |= {"daemon": self._daemon, "switch": self._switch}
        stack.callback(self._end_daemon)
        self._switch.start()
        self._daemon.start()
        wait_until(self._daemon.ready, 60.0, "the daemon answers")
        vault = Vault.load(self._site.path("var") / "duecall.key")
        self._known = {vault.phone_hash(person.number): person.number for person in self._people}
        self._reader = self._open_reader()
        stack.callback(self._reader.close)

    def _end_daemon(self) -> None:
        if self._daemon.up:
            self._daemon.kill()

    def _database_url(self, stack: contextlib.ExitStack) -> str:
        """Of a new database."""
        if self.settings.database == "sqlite":
            return "sqlite:///var/duecall.db"
        self._server = stack.enter_context(PostgresServer())
        self._parts["database"] = DatabasePart(self.diary, self._server)
        self._url = self._server.create_database()
        return self._url

    def _open_reader(self) -> Reader:
        if self._server is not None:
            return PostgresReader(self._url)
        return SqliteReader(self._site.path("var") / "duecall.db")

    def _lead_through_relay(self) -> None:
        """The daemon's config.yaml names the relay; the switch was told its own port."""
        raw: dict[str, Any] = yaml.safe_load(self._site.config.read_text(encoding="utf-8"))
        raw["switch"]["port"] = self._relay.port
        self._site.config.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")

    def _start_campaign(self) -> None:
        self._progress("the campaign is loaded", 0, 1)
        self._duecall("start", str(self._folder / f"{people.NAME}.yaml"))
        self._witness = Witness(
            self._folder / "callees" / "invites.csv",
            self._open_reader(),
            {number: phone_hash for phone_hash, number in self._known.items()},
        )
        self._witness.start()

    # ---- the run

    def _rage(self) -> None:
        mayhem = Mayhem(
            plan(self.settings.amounts, self.settings.seed),
            self._parts,
            self._relay,
            self.diary,
            lambda: self._share_done,
            self._trouble,
        )
        mayhem.start()
        try:
            while not mayhem.over:
                time.sleep(LOOK_S)
                self._keep()
                self._progress("mayhem", mayhem.done, mayhem.total)
        finally:
            mayhem.give_up()
        self._relay.flow()
        self.diary.note("all", "healed")

    def _keep(self) -> None:
        """What ended by itself is started again, as a service manager would; and how far is it?"""
        for part in (self._daemon, self._switch):
            code = part.ended_by_itself()
            if code is not None:
                self._ended(part.name, code)
                time.sleep(BACK_S)
                with part.lock:
                    if not part.up:
                        part.start()
        database = self._parts.get("database")
        if isinstance(database, DatabasePart) and (database.frozen or not database.up):
            return
        with contextlib.suppress(Unavailable):
            self._share_done = share_done(self._reader)

    def _ended(self, part: str, code: int) -> None:
        self.diary.note(part, f"ended by itself with {code}")
        said = ""
        if part == "daemon":
            lines = (self._folder / "daemon.err").read_text(errors="replace").splitlines()
            said = lines[-1] if lines else ""
        self._ended_by_themselves.append(f"{part} with {code}: {said}")
        self._trouble(f"the {part} ended by itself with {code}: {said}")

    def _heal(self) -> float:
        """Until all contacts are done with; how long that took."""
        began = time.monotonic()
        total = sum(len(person.accounts) for person in self._people)
        while time.monotonic() - began < HEAL_S:
            self._keep()
            with contextlib.suppress(Unavailable):
                counts = states(self._reader)
                if all_done(counts):
                    break
                self._progress("healing", counts.get("done", 0), total)
            time.sleep(LOOK_S)
        return time.monotonic() - began

    def _end(self) -> dict[str, Any]:
        """No call is up any more, the daemon ends in good order; the report."""
        self._progress("the last calls end", 0, 1)
        wait_until(self._daemon.ready, 60.0, "the daemon answers")
        with contextlib.suppress(RuntimeError):
            wait_until(self._quiet, QUIET_S, "all calls are over")
        code = self._daemon.end()
        if code != 0:
            self._trouble(f"the daemon was asked to end and ended with {code}")
        self._witness.stop()
        report: dict[str, Any] = json.loads(self._duecall("report", people.NAME, "--json"))
        self._troubles += self._audit()
        return report

    def _audit(self) -> list[Violation]:
        """What `duecall audit` says of the log that all this has left."""
        done = self._site.duecall("audit", "--json")
        (self._folder / "audit.json").write_text(done.stdout + done.stderr)
        try:
            told = json.loads(done.stdout)
        except ValueError:
            return [Violation("audit", "it gave no answer", done.stdout + done.stderr)]
        found = [
            Violation("audit", f"{one['law']} {one['rule']}", f"{one['attempt']} {one['text']}")
            for one in told["violations"]
        ]
        if not told["judged"]:
            found.append(Violation("audit", "no attempt was judged", done.stdout))
        return found

    def _quiet(self) -> bool:
        status = control.ask(self._daemon.socket, {"do": "status"})
        return not status["live"] and status["switch"] == "connected"

    def _duecall(self, *arguments: str) -> str:
        done = self._site.duecall(*arguments)
        if done.returncode:
            raise RuntimeError(f"duecall {arguments[0]}: {done.stdout}{done.stderr}")
        return done.stdout

    # ---- what is read off it

    def _write_down(self, books: Books) -> None:
        """For people who look for what went wrong: the server is gone when this run is over."""
        with (self._folder / "attempts.csv").open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(Entry.__dataclass_fields__)
            writer.writerows(astuple(entry) for entry in books.entries)
        if self._server is not None:
            (self._folder / "postgres.log").write_text(self._server.log())

    def _trouble(self, text: str) -> None:
        self.diary.note("trouble", text.replace(",", ";").replace("\n", " "))
        self._troubles.append(Violation("-", "something went wrong", text, time.time()))

    def _stood_still(self) -> list[Span]:
        """When the switch was frozen."""
        spans: list[Span] = []
        begin: float | None = None
        for happening in self.diary.happenings:
            if happening.part != "switch":
                continue
            if happening.what == "frozen":
                begin = happening.at
            elif happening.what in ("thawed", "killed") and begin is not None:
                spans.append(Span(begin, happening.at))
                begin = None
        return spans

    def _faults_in_log(self) -> list[Violation]:
        text = (self._folder / "daemon.log").read_text(errors="replace")
        found = Counter(
            re.sub(r"^[-0-9: ,]+", "", line) for line in text.splitlines() if _FAULT.search(line)
        )
        return [
            Violation("-", "the daemon's log tells of a fault inside", f"{count}x {line[:200]}")
            for line, count in found.items()
        ]

    def _with_calls(self, truth: Truth) -> Counter[tuple[str, str]]:
        counted: Counter[tuple[str, str]] = Counter()
        for happening in self.diary.happenings:
            if any(_up(call, happening.at) for call in truth.calls):
                counted[happening.part, happening.what] += 1
        return counted


def _up(call: Call, at: float) -> bool:
    return call.invited_at <= at and (call.ended_at is None or at <= call.ended_at)
