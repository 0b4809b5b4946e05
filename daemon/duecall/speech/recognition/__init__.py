"""Sound into words: recognisers, each in a process of its own."""
