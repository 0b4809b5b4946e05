"""The daemon's way to the database: batches, in order; slow, refused, or committed unawares."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from duecall.core import commands as c
from duecall.core import events as e
from duecall.sim.store import Answers, Load

if TYPE_CHECKING:
    from duecall.sim.service import Service

GATHER_S = 0.005
RETRY_S = 1.0
BATCH_MAX = 500


class StoreWorker:
    """One for each life of a daemon. waiting: commands that are not durable yet."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._world = service.world
        self.waiting: list[c.Command] = []
        self._working = False
        self._batch: list[c.Command] = []  # committed, as it may be, and not answered
        self._number = 0  # of the batch, in this life

    def put(self, commands: list[c.Command]) -> None:
        if not commands:
            return
        self.waiting.extend(commands)
        if not self._working:
            self._working = True
            self._again(GATHER_S)

    def _again(self, lag_s: float) -> None:
        if self._world.chance("database_slow"):
            lag_s += self._world.random.uniform(0.1, 6.0)
        self._world.agenda.later(lag_s, self._write)

    def _write(self) -> None:
        service, world = self._service, self._world
        if service.worker is not self:
            return  # the daemon is dead, and its thread with it
        if service.suspended or world.database_refuses:
            world.agenda.later(RETRY_S, self._write)
            return
        # The same batch as before, where its answer was lost: what came later waits.
        if not self._batch:
            self._batch = self.waiting[:BATCH_MAX]
            self._number += 1
        answers = world.store.apply(
            self._batch, service.name, service.moment().wall, (service.life, self._number)
        )
        if world.chance("killed_at_commit"):
            service.kill()
            return
        if world.chance("commit_answer_lost"):
            world.agenda.later(RETRY_S, self._write)
            return
        del self.waiting[: len(self._batch)]
        self._batch = []
        self._answer(answers)
        if self.waiting:
            self._again(GATHER_S)
        else:
            self._working = False

    def _answer(self, answers: Answers) -> None:
        """As shell/service.py does it when a batch is committed."""
        service = self._service
        known = self._world.store.known_after(answers, service.moment().wall)
        for attempt_id, snapshot in known.items():
            service.tell(e.AttemptSaved, attempt_id, snapshot)
        for attempt_id, reason, final in answers.refused:
            service.tell(e.AttemptRefused, attempt_id, reason, final)
        for number in answers.stopped_numbers:
            service.hear_stop(number)
            self._world.leases.tell_others(service, partial(_hear_stop, number))
        for load in answers.loads:
            self._prepare(load)

    def _prepare(self, load: Load) -> None:
        """The words for each contact: one answer to each LoadTargets, whatever happens."""
        world = self._world
        lag_s = world.random.uniform(0.1, 8.0) if world.chance("prompts_slow") else 0.0
        if world.chance("prompts_fail"):
            ids = tuple(target.id for target in load.targets)
            self.put([c.ReleaseTargets(load.campaign, ids)])
            load = Load(load.campaign, (), load.next_due, load.answered)
            self._hand_over(lag_s, load, "no voice")
        else:
            self._hand_over(lag_s, load, "")

    def _hand_over(self, lag_s: float, load: Load, failed: str) -> None:
        service = self._service
        if lag_s == 0.0:
            news = (load.campaign, load.targets, load.next_due, 0, failed, load.answered)
            service.tell(e.TargetsLoaded, *news)
        else:
            self._world.agenda.later(lag_s, self._late, load, failed)

    def _late(self, load: Load, failed: str) -> None:
        if self._service.worker is self:
            self._hand_over(0.0, load, failed)


def _hear_stop(number: str, service: Service) -> None:
    service.hear_stop(number)
