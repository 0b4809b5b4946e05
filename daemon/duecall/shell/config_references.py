"""What a campaign or site file refers to outside of itself: trunks, agents, files, columns, words.

These look at the tree, not at the model, so that they are told together with all other faults.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast, get_args

from duecall.core.campaign import Campaign, Language
from duecall.core.currency import CURRENCIES
from duecall.core.ranking import OF_ACCOUNT, OF_CONTACT
from duecall.core.rule_choice import site_problems
from duecall.core.rule_merge import MergeProblems
from duecall.core.scalars import did_you_mean
from duecall.core.site import Site
from duecall.core.variables import COLUMNS, NO_COLUMN, RESERVED, STANDARD
from duecall.shell.config_templates import Place, Reference, template_faults
from duecall.shell.contacts_csv import ContactsFileError, read_header, spoken_currencies
from duecall.shell.yaml_tree import Tree, dotted
from duecall.speech.faults import SoundFault, TemplateFault, Unspeakable
from duecall.speech.recognition.live_choice import why_unheard
from duecall.speech.recorded import telephone_sound
from duecall.speech.template import MessageTemplate
from duecall.speech.values import Text
from duecall.speech.words import words

_TESTS = re.compile(r"\{[{%][^}]*?\bif\b([^}]*)[%}]\}")  # what stands behind an `if`
_WORD = re.compile(r"[^\W\d]\w*")
ORDER_COLUMNS = ("dpd", "balance", "due_date", *sorted(OF_ACCOUNT | OF_CONTACT))


def of_campaign(tree: Tree, folder: Path, site: Site | None) -> Iterator[Reference]:
    """All references that lead nowhere. folder: of the campaign file."""
    data = tree.data
    if site is not None:
        if isinstance(trunk := data.get("trunk"), str) and trunk not in site.trunks:
            yield ("trunk",), *_unknown(trunk, "trunk of config.yaml", site.trunks), None
        yield from _agents(data, site)
        yield from _unheard(data, site)
    yield from _silent_transfers(data)
    header: tuple[str, ...] | None = None
    if isinstance(contacts := data.get("contacts"), str) and contacts.strip():
        try:
            header = read_header(folder / contacts)
        except ContactsFileError as error:
            yield ("contacts",), error.problem, error.remedy, None
    if header is not None:
        yield from _columns(data, header)
    yield from _own_variables(data, header)
    known = _known_words(data, header, site)
    typed = set(STANDARD) | {name for name, _ in _items(data.get("variables"))}
    language = data.get("language")
    yield from _unspoken_variables(data)
    for place, piece in _pieces(data):
        yield from _sound(place, piece.get("sound"), folder)
        text = piece.get("text")
        if isinstance(text, str) and text.strip() and language in get_args(Language):
            where = (*place, "text") if (*place, "text") in tree.values else place
            yield from template_faults(tree, where, text, cast(Language, language), known, typed)
    yield from _unspoken_currency(data)


def of_site(tree: Tree, folder: Path) -> Iterator[Reference]:
    """Files that config.yaml names and that are not there."""
    music = tree.data.get("hold_music")
    if isinstance(music, str) and music and (problem := _sound_problem(folder / music)):
        allowed = "a WAV, FLAC, OGG or MP3 file, or leave the key out"
        yield ("hold_music",), problem, allowed, None
    for name, trunk in _items(tree.data.get("trunks")):
        secret = trunk.get("password_file") if isinstance(trunk, dict) else None
        if isinstance(secret, str) and secret and not (folder / secret).is_file():
            place: Place = ("trunks", name, "password_file")
            yield place, f"no file {secret}", "a file that holds the password alone", None
    for language, choice in _items(tree.data.get("recognition")):
        model = choice.get("model") if isinstance(choice, dict) else None
        if isinstance(model, str) and model and not (folder / model).is_dir():
            place = ("recognition", language, "model")
            yield place, f"no folder {model}", "the unpacked folder of a model", None
    folders = tree.data.get("folders")
    rules = folders.get("rules") if isinstance(folders, dict) else None
    if isinstance(rules, str) and not (folder / rules).is_dir():
        allowed = "a folder with rule packs, or leave the key out"
        yield ("folders", "rules"), f"no folder {rules}", allowed, None


def of_campaign_rules(tree: Tree, error: MergeProblems) -> Iterator[Reference]:
    """Why pack, config.yaml and campaign do not go together. tree: of the campaign."""
    for one in error.problems:
        if one.origin == "campaign":
            place: Place = ("rules", *one.place) if "rules" in tree.data else ("country",)
            yield place, one.problem, one.allowed, None
        else:
            problem = f"with {dotted(('rules', *one.place))} of config.yaml: {one.problem}"
            yield ("country",), problem, one.allowed, None


def of_site_rules(tree: Tree, site: Site) -> Iterator[Reference]:
    """What is wrong with `rules:` of config.yaml, seen beside the packs. site: with its packs."""
    for one in site_problems(site):
        yield ("rules", *one.place), one.problem, one.allowed, None


def make_absolute(tree: Tree, folder: Path) -> None:
    """Paths in the campaign's data, relative to its folder, become absolute."""
    folder = folder.resolve()
    if isinstance(contacts := tree.data.get("contacts"), str) and contacts.strip():
        tree.data["contacts"] = str(folder / contacts)
    for _, piece in _pieces(tree.data):
        if isinstance(sound := piece.get("sound"), str) and sound.strip():
            piece["sound"] = str(folder / sound)


def absolute_site(site: Site, folder: Path) -> Site:
    """The site with its paths made absolute; the SQLite file's too."""
    scheme, _, rest = site.database.partition(":///")
    database = f"sqlite:///{folder / rest}" if scheme == "sqlite" else site.database
    folders = {name: str(folder / path) for name, path in site.folders.model_dump().items()}
    switch = {"password_file": str(folder / site.switch.password_file)}
    trunks = {
        name: trunk.model_copy(update={"password_file": str(folder / trunk.password_file)})
        if trunk.password_file
        else trunk
        for name, trunk in site.trunks.items()
    }
    update = {
        "database": database,
        "folders": site.folders.model_copy(update=folders),
        "switch": site.switch.model_copy(update=switch),
        "trunks": trunks,
        "hold_music": str(folder / site.hold_music) if site.hold_music else "",
        "recognition": {
            language: choice.model_copy(update={"model": str(folder / choice.model)})
            if choice.model
            else choice
            for language, choice in site.recognition.items()
        },
    }
    return site.model_copy(update=update)


def columns_used(campaign: Campaign) -> frozenset[str]:
    """Columns that each row must fill, as the campaign speaks them or chooses or orders by them.

    Left out: variables that need no column, and those that a template itself asks about, as in
    `{% if title %}`: it says something for an empty cell too. The balance is never left out.
    """
    spoken: set[str] = set()
    for _, piece in campaign.sayings():
        if piece.text is not None:
            names = MessageTemplate(piece.text, campaign.language).variables()
            asked = {word for test in _TESTS.findall(piece.text) for word in _WORD.findall(test)}
            spoken |= names - (asked - {"balance"})
    spoken -= set(campaign.variables) | NO_COLUMN
    chosen = set(campaign.selection.fields) | {order.field for order in campaign.order}
    if campaign.selection.balance is not None:
        chosen.add("balance")
    return frozenset(spoken | chosen)


def _unknown(word: str, kind: str, known: Iterable[str]) -> tuple[str, str]:
    names = sorted(known)
    return f"{word!r} is no {kind}" + did_you_mean(word, names), ", ".join(names) or "(none there)"


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()


def _entries(value: Any) -> Iterator[tuple[int, Any]]:
    if isinstance(value, list):
        yield from enumerate(value)


def _key_rules(data: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    holders: list[tuple[Place, Any]] = [((), data)]
    holders += [(("questions", n), question) for n, question in _entries(data.get("questions"))]
    for place, holder in holders:
        if isinstance(holder, dict):
            for key, rule in _items(holder.get("keys")):
                if isinstance(rule, dict):
                    yield (*place, "keys", key), rule


def _agents(data: dict[str, Any], site: Site) -> Iterator[Reference]:
    for place, rule in _key_rules(data):
        group = rule.get("to")
        if rule.get("do") == "transfer" and isinstance(group, str) and group not in site.agents:
            kind = "agent group of config.yaml"
            yield (*place, "to"), *_unknown(group, kind, site.agents), None


def _spoken(data: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Where words stand for keys: of the message and of the questions."""
    holders: list[tuple[Place, Any]] = [((), data)]
    holders += [(("questions", n), question) for n, question in _entries(data.get("questions"))]
    for place, holder in holders:
        if isinstance(holder, dict) and isinstance(spoken := holder.get("spoken"), dict):
            yield (*place, "spoken"), spoken


def _unheard(data: dict[str, Any], site: Site) -> Iterator[Reference]:
    """Words that nobody would hear."""
    language = data.get("language")
    for place, spoken in _spoken(data):
        if language in get_args(Language) and (spoken.get("answers") or spoken.get("digits")):
            problem, remedy = why_unheard(site, cast(Language, language))
            if problem:
                yield place, problem, remedy, None
            return


def _silent_transfers(data: dict[str, Any]) -> Iterator[Reference]:
    """Who asked for a person and waited with music must not hear a click and nothing more."""
    for place, rule in _key_rules(data):
        if rule.get("do") == "transfer" and not data.get("no_agent"):
            problem = "transfer without words for a callee whom no agent takes"
            yield place, problem, "no_agent: what is said then", None
            return


def _pieces(data: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Every piece of every saying, as {text: …} or {sound: …}, with its place."""
    sayings: list[tuple[Place, Any]] = [
        ((part,), data.get(part)) for part in ("message", "invalid_key", "goodbye", "no_agent")
    ]
    sayings += [
        (("message_by_bucket", bucket), message)
        for bucket, message in _items(data.get("message_by_bucket"))
    ]
    for number, question in _entries(data.get("questions")):
        if isinstance(question, dict):
            sayings.append((("questions", number, "ask"), question.get("ask")))
    sayings += [((*place, "say"), rule.get("say")) for place, rule in _key_rules(data)]
    sayings += [((*place, "confirm"), one.get("confirm")) for place, one in _spoken(data)]
    for place, saying in sayings:
        pieces: list[tuple[Place, Any]] = [((*place, n), piece) for n, piece in _entries(saying)]
        pieces = pieces or [(place, saying)]
        for where, piece in pieces:
            if isinstance(piece, str):
                yield where, {"text": piece}
            elif isinstance(piece, dict):
                yield where, piece


def _columns(data: dict[str, Any], header: tuple[str, ...]) -> Iterator[Reference]:
    further = [column for column in header if column not in COLUMNS]
    selection = data.get("selection")
    if isinstance(selection, dict):
        for name, _ in _items(selection.get("fields")):
            if name in ("dpd", "balance"):
                problem = "has a key of its own"
                yield ("selection", "fields", name), problem, f"selection: {name}:", None
            elif name not in further:
                kind = "further column of the contacts file"
                yield ("selection", "fields", name), *_unknown(name, kind, further), None
    for number, order in _entries(data.get("order")):
        field = order.get("field") if isinstance(order, dict) else None
        if isinstance(field, str) and field.strip() and field not in (*ORDER_COLUMNS, *further):
            kind = "column to order by"
            yield (
                ("order", number, "field"),
                *_unknown(field, kind, [*ORDER_COLUMNS, *further]),
                None,
            )


def _own_variables(data: dict[str, Any], header: tuple[str, ...] | None) -> Iterator[Reference]:
    for name in sorted(NO_COLUMN.intersection(header or ())):
        said = re.compile(rf"\{{[{{%][^}}]*\b{name}\b")
        if any(said.search(str(piece.get("text"))) for _, piece in _pieces(data)):
            problem = f"a column {name} is in the file, and a message says the variable {name}"
            yield ("contacts",), problem, "another name for the column", None
    for name, _ in _items(data.get("variables")):
        if name in RESERVED:
            problem = "would hide the variable of this name"
            yield ("variables", name), problem, "another name", None
        elif header and name in header:
            problem = "is a column of the contacts file as well"
            yield ("variables", name), problem, "another name", None


def _known_words(
    data: dict[str, Any], header: tuple[str, ...] | None, site: Site | None
) -> set[str] | None:
    """What templates may use; None where that cannot be told, as the contacts file is faulty."""
    if header is None:
        return None
    needs_column = {"card_number"} - set(header)  # the only standard one that a file may lack
    known = set(STANDARD) - needs_column
    known |= {column for column in header if column not in COLUMNS}
    own = {name for name, _ in _items(data.get("variables"))}
    if site is not None and not site.lender_name and "lender" not in own:
        known.discard("lender")
    return known | own


def _unspoken_variables(data: dict[str, Any]) -> Iterator[Reference]:
    """Words of the campaign's own that a message says as they are, and that cannot be said so."""
    language, own = data.get("language"), dict(_items(data.get("variables")))
    if language not in get_args(Language):
        return
    told: set[str] = set()
    for _, piece in _pieces(data):
        try:
            said = MessageTemplate(str(piece.get("text") or ""), cast(Language, language))
        except TemplateFault:
            continue  # told at its own place
        for name in said.said_plainly():
            if isinstance(own.get(name), str) and name not in told:
                told.add(name)
                try:
                    words(Text(own[name]), cast(Language, language))
                except Unspeakable as error:
                    problem, _, remedy = str(error).partition("; ")
                    yield ("variables", name), problem, remedy or "words", None


def _unspoken_currency(data: dict[str, Any]) -> Iterator[Reference]:
    """A currency that the language has no words for, where a message speaks the balance."""
    language, currency = data.get("language"), data.get("currency")
    if language not in get_args(Language) or currency not in CURRENCIES:
        return
    spoken = spoken_currencies(cast(Language, language))
    if currency not in spoken and any("balance" in str(p.get("text")) for _, p in _pieces(data)):
        problem = f"the language {language} has no words for {currency}"
        yield ("currency",), problem, ", ".join(sorted(spoken)), None


def _sound(place: Place, sound: Any, folder: Path) -> Iterator[Reference]:
    if isinstance(sound, str) and sound.strip() and (problem := _sound_problem(folder / sound)):
        allowed = "a WAV, FLAC, OGG or MP3 file, seen from the campaign file's folder"
        yield (*place, "sound"), problem, allowed, None


def _sound_problem(path: Path) -> str:
    """What is wrong with this sound file; empty where it can be played."""
    if not path.exists():
        return f"no file {path}"
    if not path.is_file():
        return f"{path} is not a file"
    try:
        telephone_sound(path)
    except SoundFault as fault:
        return str(fault)
    return ""
