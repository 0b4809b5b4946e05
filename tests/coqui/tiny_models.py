"""Small models with random weights: they load and run as real ones do, and speak noise.

    python -m tests.coqui.tiny_models KIND FOLDER

A program of its own, as it imports torch. KIND: one of KINDS.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

RATE_HZ = 8_000
# Lower case only, and without "w" and digits: what is not in here has to be noticed.
VI = "àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ"
RU = "абвгдеёжзийклмнопрстуфхцчшщъыьэюя"
LETTERS = "abcdefghijklmnopqrstuvxyz" + VI + RU
MARKS = " .,!?-:;'"
SPEAKERS = ("anna", "boris")
LANGUAGES = ("ru", "vi-vn")
SMALL: dict[str, Any] = {
    "hidden_channels": 32,
    "hidden_channels_ffn_text_encoder": 64,
    "num_layers_text_encoder": 2,
    "num_layers_posterior_encoder": 2,
    "num_layers_flow": 2,
    "out_channels": 129,
    "upsample_rates_decoder": [8, 4, 2],
    "upsample_kernel_sizes_decoder": [16, 8, 4],
    "upsample_initial_channel_decoder": 64,
    "init_discriminator": False,
}
SPECTRA: dict[str, Any] = {
    "sample_rate": RATE_HZ,
    "fft_size": 256,
    "win_length": 256,
    "hop_length": 64,
    "num_mels": 20,
}


def alphabet() -> Any:
    from TTS.tts.configs.shared_configs import CharactersConfig

    return CharactersConfig(
        characters_class="TTS.tts.models.vits.VitsCharacters",
        characters=LETTERS,
        punctuations=MARKS,
        phonemes="",
        pad="_",
        eos=None,
        bos=None,
        blank=None,
    )


def write(model: Any, folder: Path, name: str = "model.pth") -> None:
    import torch

    model.config.save_json(str(folder / "config.json"))
    state = {"model": model.state_dict(), "step": 2000, "epoch": 3, "date": "November 22, 2026"}
    torch.save(state, folder / name)


def vits(folder: Path, languages: tuple[str, ...] = ("vi",), **changes: Any) -> None:
    """Letters in, sound out; a letter lasts about as long as a person's."""
    write(new_vits(languages, **changes), folder)


def new_vits(languages: tuple[str, ...], **changes: Any) -> Any:
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    config = VitsConfig(
        model_args=VitsArgs(**SMALL, **changes),
        audio=BaseAudioConfig(**SPECTRA),
        characters=alphabet(),
        languages=list(languages),
        text_cleaner="no_cleaners",
        use_phonemes=False,
    )
    if changes.get("use_speaker_embedding"):
        config.speakers = list(SPEAKERS)
    model = Vits(config)
    slower(model)
    return model


def slower(model: Any) -> None:
    """Three times as slow: untrained, a letter would last for one frame of 8 ms."""
    model.duration_predictor.flows[0].translation.data.fill_(-1.1)


def spoken_by_sounds(folder: Path, language: str) -> None:
    """Phonemes by espeak-ng, in the alphabet that coqui-tts has for them."""
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.configs.vits_config import VitsArgs, VitsConfig
    from TTS.tts.models.vits import Vits

    config = VitsConfig(
        model_args=VitsArgs(**SMALL),
        audio=BaseAudioConfig(**SPECTRA),
        text_cleaner="no_cleaners",
        use_phonemes=True,
        phonemizer="espeak",
        phoneme_language=language,
    )
    write(Vits(config), folder)


def many_voices(folder: Path) -> None:
    """Two speakers and two languages, kept in files beside the model as the trainer writes them."""
    import json

    import torch

    folder_of_the_trainer = "/home/trainer/run-2026"
    (folder / "language_ids.json").write_text(json.dumps(dict(zip(LANGUAGES, (0, 1), strict=True))))
    torch.save(dict(zip(SPEAKERS, (0, 1), strict=True)), folder / "speakers.pth")
    vits(
        folder,
        LANGUAGES,
        use_speaker_embedding=True,
        speakers_file=str(folder / "speakers.pth"),
        use_language_embedding=True,
        language_ids_file=str(folder / "language_ids.json"),
    )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["speakers"] = []
    config.pop("speakers_file", None)
    for name, file in (
        ("speakers_file", "speakers.pth"),
        ("language_ids_file", "language_ids.json"),
    ):
        config["model_args"][name] = f"{folder_of_the_trainer}/{file}"
    config["model_args"]["speaker_encoder_model_path"] = f"{folder_of_the_trainer}/encoder.pth"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def of_spectra(folder: Path, kind: str) -> None:
    """These make a spectrum only; a HiFi-GAN in `vocoder/` makes the sound of it."""
    from TTS.config import register_config
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.tts.models import setup_model

    config = register_config(kind)(
        audio=BaseAudioConfig(**SPECTRA),
        characters=alphabet(),
        languages=["vi"],
        text_cleaner="no_cleaners",
        use_phonemes=False,
        phonemizer=None,
        phoneme_language=None,
    )
    if kind == "glow_tts":
        config.out_channels, config.num_flow_blocks_dec = SPECTRA["num_mels"], 2
    else:
        config.model_args.out_channels = SPECTRA["num_mels"]
    write(setup_model(config), folder, "best_model_2000.pth")
    (folder / "best_model.pth").symlink_to("best_model_2000.pth")
    hifigan(folder / "vocoder")


def hifigan(folder: Path) -> None:
    """With its discriminator, as it is trained: 270 MB."""
    from TTS.config.shared_configs import BaseAudioConfig
    from TTS.vocoder.configs.hifigan_config import HifiganConfig
    from TTS.vocoder.models.gan import GAN

    folder.mkdir()
    sound = HifiganConfig(audio=BaseAudioConfig(**SPECTRA))
    sound.generator_model_params.update(
        upsample_factors=[8, 4, 2],
        upsample_kernel_sizes=[16, 8, 4],
        upsample_initial_channel=32,
        in_channels=SPECTRA["num_mels"],
    )
    write(GAN(sound), folder)


def cut_short(folder: Path) -> None:
    """A config that lets no sentence be longer than half a second."""
    vits(folder, max_inference_len=60)


def of_numbers_that_are_none(folder: Path) -> None:
    """A training that went wrong: every weight is NaN."""
    import torch

    vits(folder)
    state = torch.load(folder / "model.pth", weights_only=True)
    for weight in state["model"].values():
        if weight.is_floating_point():
            weight.fill_(float("nan"))
    torch.save(state, folder / "model.pth")


def too_loud(folder: Path) -> None:
    """Weights are numbers, and what comes of them is none."""
    import torch

    model = new_vits(("vi",))
    with torch.no_grad():
        model.waveform_decoder.conv_pre.weight.fill_(3e38)
    write(model, folder)


def mms(folder: Path) -> None:
    """Named and laid out as the checkpoints of MMS are; of their full size, as it is fixed."""
    import json

    import torch
    from TTS.tts.configs.vits_config import VitsConfig
    from TTS.tts.models.vits import Vits

    model = Vits(VitsConfig())
    model.disc = None
    letters = ["_", " ", *LETTERS]
    model.text_encoder.emb = torch.nn.Embedding(len(letters), 192)
    (folder / "vocab.txt").write_text("\n".join(letters) + "\n", encoding="utf-8")
    data = {"sampling_rate": 16_000, "training_files": "train.ltr", "add_blank": True}
    (folder / "config.json").write_text(json.dumps({"data": data, "train": {}, "model": {}}))
    state = {_mms_name(name): weight for name, weight in model.state_dict().items()}
    torch.save({"model": state}, folder / "G_100000.pth")


def _mms_name(name: str) -> str:
    """MMS counts the layers between those that are kept, too, and has shorter names."""
    module, _, rest = name.partition(".")
    short = {
        "text_encoder": "enc_p",
        "waveform_decoder": "dec",
        "posterior_encoder": "enc_q",
        "duration_predictor": "dp",
    }.get(module, module)
    kind, _, layer = rest.partition(".")
    if kind not in ("flows", "post_flows"):
        return f"{short}.{rest}"
    number, _, end = layer.partition(".")
    if short == "dp":
        end = {"translation": "m", "log_scale": "logs"}.get(end, end)
        return f"dp.{kind}.{int(number) * 2 - 1 if int(number) else 0}.{end}"
    return f"{short}.{kind}.{int(number) * 2}.{end}"


def quiet(folder: Path) -> None:
    """Sounds as `vits` does, 30 dB below."""
    import torch

    model = new_vits(("vi",))
    with torch.no_grad():
        model.waveform_decoder.conv_post.weight.mul_(10 ** (-30 / 20))
    write(model, folder)


def endless(folder: Path) -> None:
    """Every letter lasts for seconds."""
    model = new_vits(("vi",))
    model.duration_predictor.flows[0].translation.data.fill_(-4.8)
    write(model, folder)


class Trap:
    """Unpickling this writes a file: what a model of a stranger might do."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


def trap(folder: Path) -> None:
    import torch

    vits(folder)
    torch.save({"model": {}, "trap": Trap(str(folder / "executed"))}, folder / "model.pth")


KINDS = {
    "vits": vits,
    "many_voices": many_voices,
    "with_vocoder": functools.partial(of_spectra, kind="glow_tts"),
    "sounds_en": functools.partial(spoken_by_sounds, language="en-us"),
    "sounds_vi": functools.partial(spoken_by_sounds, language="vi"),
    "too_loud": too_loud,
    "endless": endless,
    "quiet": quiet,
    "cut_short": cut_short,
    "mms": mms,
    "nan": of_numbers_that_are_none,
    "trap": trap,
}


def main() -> None:
    from duecall.speech.engines import coqui_compat

    coqui_compat.prepare(1)
    import torch

    torch.set_grad_enabled(True)
    torch.manual_seed(20261122)
    for kind, name in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        folder = Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        KINDS[kind](folder)


if __name__ == "__main__":
    main()
