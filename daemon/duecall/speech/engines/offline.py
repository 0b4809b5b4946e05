"""What keeps libraries and programs of speech from the network, said in their environment.

Nothing is downloaded while Duecall runs, and no library tells anybody of its use.
"""

from __future__ import annotations

# Of every process that speaks or listens.
OFFLINE = {
    "HF_HUB_OFFLINE": "1",  # of huggingface_hub, which faster-whisper and transformers use
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # of onnxruntime, which reports its use from 1.32 on
}
# Of programs that such a process keeps running: what asks for the network finds a closed door.
CLOSED_DOOR = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "all")}
