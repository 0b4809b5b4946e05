"""The key that seals personal data: which there is, and a fresh one in its place."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

import click

from duecall.cli import cli
from duecall.cli.common import Context, console, errors, fail, pass_context, progress
from duecall.shell.clock import now
from duecall.shell.column_values import to_us
from duecall.shell.journal import journal_folder
from duecall.shell.key_rotation import KeyRotation, Rotated, RotationError
from duecall.shell.vault import KEY_VARIABLE, Vault

JSON = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@cli.group()
def key() -> None:
    """The key that seals names and numbers.

    \b
    Example:
      duecall key show
      duecall key rotate
    """


@key.command()
@JSON
@pass_context
def show(context: Context, as_json: bool) -> None:
    """Which keys there are: their ids, and which one seals. The keys themselves are never shown.

    \b
    Example:
      duecall key show
    """
    vault = _vault(context)
    first, *older = vault.key_ids
    source = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else str(context.key_path)
    if as_json:
        click.echo(json.dumps({"from": source, "seals": first, "opens": list(vault.key_ids)}))
        return
    console.print(f"{first}  seals and opens", highlight=False)
    for key_id in older:
        console.print(f"{key_id}  opens", highlight=False)
    console.print(f"from {source}", highlight=False, markup=False, soft_wrap=True)


@key.command()
@click.option("--finish", is_flag=True, help="Only drop the older key, now that nothing needs it.")
@JSON
@pass_context
def rotate(context: Context, finish: bool, as_json: bool) -> None:
    """A fresh key seals; all that is in the database is sealed anew.

    The daemon may run: it takes up the new key by itself. Cut off, or refused because somebody
    still works with the old key: say it again, and it goes on from there. The older key stays in
    the file while the journal needs it. Make a backup of the key file afterwards; with backups of
    the database from before belongs the key file from before.

    \b
    Example:
      duecall key rotate
      duecall key rotate --finish
    """
    path = context.key_path
    if not path.exists() and not os.environ.get(KEY_VARIABLE):
        fail(f"{path} does not exist: there is no key yet; the first `duecall run` makes it")
    with progress("rows") as bar:
        task = bar.add_task("sealing anew", total=None)

        def tell(_what: str, done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        try:
            rotation = KeyRotation(
                path,
                lambda vault: context.store(vault),
                journal_folder(context.site),
                environ=os.environ,
                tell=tell,
                daemon_keys=lambda: _daemon_keys(context),
                now_us=lambda: to_us(now().wall),
            )
            done = rotation.finish() if finish else rotation.rotate()
        except RotationError as error:
            fail(str(error))
    if as_json:
        click.echo(json.dumps(_plain(done)))
    else:
        _print(done)
    raise SystemExit(1 if done.unreadable else 0)


def _print(done: Rotated) -> None:
    console.print(f"key {done.key} seals; {done.rows} rows sealed anew", highlight=False)
    if done.unreadable:
        errors.print(
            f"{done.unreadable} rows cannot be opened by any key, as before; restore them from a "
            "backup, or import their contacts again",
            highlight=False,
            soft_wrap=True,
        )
    if done.segments:
        console.print(
            f"the older key stays: {len(done.segments)} files of the journal are sealed with it. "
            "When they are gone: duecall key rotate --finish",
            highlight=False,
            soft_wrap=True,
        )
    if done.dropped:
        console.print(f"dropped: {', '.join(done.dropped)}", highlight=False)


def _plain(done: Rotated) -> dict[str, object]:
    return {
        "key": done.key,
        "rows": done.rows,
        "unreadable": done.unreadable,
        "journal_files": len(done.segments),
        "dropped": list(done.dropped),
    }


def _daemon_keys(context: Context) -> Sequence[str] | None:
    reply = context.ask_if_there({"do": "keys"})
    return None if reply is None else list(reply["keys"])


def _vault(context: Context) -> Vault:
    """A new one would tell nothing."""
    if not context.key_path.exists() and not os.environ.get(KEY_VARIABLE):
        fail(f"{context.key_path} does not exist; the first `duecall run` or import makes it")
    return context.vault()
