"""Duecall calls people about money that is due. Start reading at docs/architecture.md."""
