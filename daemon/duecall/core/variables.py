"""The words a template may use: what a contacts file gives, what the day and the site give.

Besides these: every further column of the contacts file, and the campaign's own `variables`.
"""

from __future__ import annotations

# Columns with a meaning of their own; all other columns are kept as text in Account.fields.
COLUMNS = (
    "name",
    "contract_number",
    "card_number",
    "balance",
    "currency",
    "interest_rate",
    "due_date",
    "dpd",
    "phone",
    "zone",
    "language",
    "customer_id",
    "region",
    "line",
    "consents",
    "flags",
)
# name: what it holds. dpd, bucket, today and tomorrow are of the day of the call where the lender
# is (the campaign's zone), whatever the contacts file said on its own day.
STANDARD = {
    "name": "the contact's name",
    "contract_number": "the contract's number",
    "card_number": "the card's number; a whole one only with its last four digits",
    "balance": "what is owed, with its currency",
    "interest_rate": "per cent a year",
    "due_date": "the day the money was or is due",
    "dpd": "days past due on the day of the call; below zero before the due date",
    "bucket": "the DPD bucket on the day of the call, 1 to 5; 0 before the due date",
    "phone": "the number that is called",
    "today": "the day of the call",
    "tomorrow": "the day after it",
    "lender": "`variables: lender:` of the campaign, else `lender_name` of config.yaml",
}
# What a template may not be given as a column's or variable's name: it would hide the real one.
RESERVED = frozenset(STANDARD) - {"lender"}
# What the day, the site and the campaign give: no column of the contacts file is needed for them,
# and one of these names would not be heard.
NO_COLUMN = frozenset({"bucket", "today", "tomorrow", "lender"})
