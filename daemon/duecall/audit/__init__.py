"""The audit: a second program that re-proves a finished log lawful. It shares no code with what it
judges: nothing of duecall is imported here, and what a rule means is written down a second time."""
