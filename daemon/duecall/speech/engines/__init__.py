"""The voices: one file an engine, and what runs them in processes of their own."""
