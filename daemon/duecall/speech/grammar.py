"""Grammar that a template can ask for, and regions whose words differ."""

from __future__ import annotations

from typing import Literal

Case = Literal["nominative", "genitive", "dative", "accusative", "instrumental", "prepositional"]
Gender = Literal["masculine", "feminine", "neuter"]
# Vietnamese only. Empty: nghìn and lẻ, which are understood everywhere.
Region = Literal["", "north", "south"]

CASES: tuple[Case, ...] = (
    "nominative",
    "genitive",
    "dative",
    "accusative",
    "instrumental",
    "prepositional",
)
GENDERS: tuple[Gender, ...] = ("masculine", "feminine", "neuter")
REGIONS: tuple[Region, ...] = ("", "north", "south")
