"""Chinese text to the phonemes of Kokoro, in the engine's own process.

Words by jieba, their pinyin by pypinyin, phonemes by misaki. Two things are put right on the way,
as a debt message is made of them: 还 in 还款 is huán (to pay back; the library reads hái), and a
surname has a reading of its own (曾 as a name is Zēng, not céng).
"""

from __future__ import annotations

import re
import tempfile
from typing import Any

from duecall.speech.engines.kokoro import INSTALL
from duecall.speech.faults import EngineError, EngineMissing

_HAN = re.compile("[\u4e00-\u9fff]+")
_WORDS = {
    "还款": "huan2 kuan3", "还款额": "huan2 kuan3 e2", "还款日": "huan2 kuan3 ri4",
    "还款人": "huan2 kuan3 ren2", "还款期": "huan2 kuan3 qi1", "还款额度": "huan2 kuan3 e2 du4",
    "还款计划": "huan2 kuan3 ji4 hua4", "应还": "ying1 huan2", "未还": "wei4 huan2",
    "已还": "yi3 huan2", "待还": "dai4 huan2", "代还": "dai4 huan2", "须还": "xu1 huan2",
    "需还": "xu1 huan2", "请还": "qing3 huan2", "尚未还": "shang4 wei4 huan2",
    "不还": "bu4 huan2", "给付": "ji3 fu4",
}  # fmt: skip
_SURNAMES = {
    "单": "shan4", "曾": "zeng1", "仇": "qiu2", "查": "zha1", "区": "ou1", "解": "xie4",
    "任": "ren2", "朴": "piao2", "翟": "zhai2", "缪": "miao4", "燕": "yan1", "薄": "bo2",
    "葛": "ge3", "盖": "ge3", "员": "yun4", "冼": "xian3", "覃": "qin2",
}  # fmt: skip
_TITLES = ("先生", "女士", "小姐", "太太", "老师", "医生", "经理")
_NAME_MAX = 4  # characters


class ChineseReader:
    """Loaded once: half a second, some 100 MB."""

    def __init__(self) -> None:
        try:
            import jieba
            import jieba.posseg
            import pypinyin
            from misaki.zh import ZHG2P
            from pypinyin.contrib.tone_convert import to_tone
        except ImportError as error:
            raise EngineMissing(f"{error.name} is not installed; {INSTALL}") from None
        with tempfile.TemporaryDirectory() as private:
            jieba.dt.tmp_dir = private  # by default it trusts a file of anybody's in /tmp
            jieba.initialize()
        for word in _WORDS:
            jieba.add_word(word)
        pypinyin.load_phrases_dict(
            {
                word: [[str(to_tone(syllable))] for syllable in said.split()]
                for word, said in _WORDS.items()
            }
        )
        self._cut = jieba.posseg.cut
        self._pypinyin = pypinyin
        self._misaki: Any = ZHG2P

    def __call__(self, text: str) -> str:
        """EngineError for a character that none of the libraries can read."""
        text = str(self._misaki.map_punctuation(text))
        return _HAN.sub(lambda run: self._run(run.group()), text)

    def pinyin(self, text: str) -> list[list[str]]:
        """Syllables, with the number of the tone behind them, by words."""
        words = [(word.word, word.flag) for word in self._cut(text)]
        read = []
        for at, (word, kind) in enumerate(words):
            syllables = self._pypinyin.lazy_pinyin(
                word, style=self._pypinyin.Style.TONE3, neutral_tone_with_five=True
            )
            named = kind.startswith("nr") and 2 <= len(word) <= _NAME_MAX
            titled = len(word) == 1 and words[at + 1 : at + 2] and words[at + 1][0] in _TITLES
            split = len(word) == 1 and words[at + 1 : at + 2] and words[at + 1][1].startswith("nr")
            if word[0] in _SURNAMES and (named or titled or (split and at == 0)):
                syllables[0] = _SURNAMES[word[0]]
            read.append(syllables)
        return read

    def _run(self, text: str) -> str:
        try:
            return " ".join(
                "".join(self._misaki.py2ipa(syllable) for syllable in word)
                for word in self.pinyin(text)
            ).replace(chr(815), "")
        except (ValueError, KeyError, AssertionError):
            raise EngineError(
                "a character that the Chinese voice has no reading for; write it by a common one "
                "of the same sound"
            ) from None
