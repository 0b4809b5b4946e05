"""What callees may say instead of pressing a key, in words of the four languages. Pure.

A recogniser that is told "yes" and "no" alone takes every other word for one of the two. So it is
told decoys as well: words that people say to such a call and that mean no key. What is heard as a
decoy is nothing heard. Words that sound like an answer ("know", "us") are left out of them: they
would take the place of true answers. docs/campaign.md has what was measured.
"""

from __future__ import annotations

from collections.abc import Collection

from duecall.core.campaign import Language
from duecall.speech.recognition.recogniser import Answer, Grammar

YES, NO = "yes", "no"
DIGITS = tuple("0123456789")
WORDS = (YES, NO, *DIGITS)

# phrases of one word of ours, parted by commas
_ANSWERS: dict[Language, dict[str, str]] = {
    "en": {
        YES: "yes, yeah, yep, yes please",
        NO: "no, nope, no thanks, no thank you",
        "0": "zero",
        "1": "one",
        "2": "two",
        "3": "three",
        "4": "four",
        "5": "five",
        "6": "six",
        "7": "seven",
        "8": "eight",
        "9": "nine",
    },
    "ru": {
        YES: "да, да да, да конечно, конечно, ага",
        NO: "нет, нет нет, нет спасибо, не надо",
        "0": "ноль, нуль",
        "1": "один, раз",
        "2": "два",
        "3": "три",
        "4": "четыре",
        "5": "пять",
        "6": "шесть",
        "7": "семь",
        "8": "восемь",
        "9": "девять",
    },
    "vi": {
        YES: "có, vâng, dạ, dạ có, dạ vâng, đúng, đúng rồi, đồng ý",
        NO: "không, dạ không, không ạ, không phải, không đồng ý",
        "0": "số không",
        "1": "một, số một",
        "2": "hai, số hai",
        "3": "ba, số ba",
        "4": "bốn, số bốn, tư",
        "5": "năm, số năm",
        "6": "sáu, số sáu",
        "7": "bảy, số bảy, bẩy",
        "8": "tám, số tám",
        "9": "chín, số chín",
    },
    "zh": {
        YES: "是, 是的, 对, 对的, 好, 好的, 可以",
        NO: "不, 不是, 不对, 不好, 不要, 没有, 不可以",
        "0": "零",
        "1": "一, 幺",
        "2": "二, 两",
        "3": "三",
        "4": "四",
        "5": "五",
        "6": "六",
        "7": "七",
        "8": "八",
        "9": "九",
    },
}

_DECOYS: dict[Language, str] = {
    "en": "hello, where, how, how much, call me later, call me, stop, stop calling me, sorry, "
    "sorry wrong number, please repeat, next week, tomorrow, right, help, hold on, wait, "
    "speaking, guess, chess, not yet, not now, lunch, press, chest, speak louder please, "
    "snow, help me",
    "ru": "алло, кто это, кто говорит, что, что такое, что вам надо, когда, где, почему, "
    "сколько, может быть, потом, позже, перезвоните, не звоните, хватит, извините, "
    "ошиблись, не туда попали, повторите, какой банк, уже заплатил, я заплатил, заплачу, "
    "завтра, сегодня, не знаю, пока, спасибо, слушаю, помогите, оператор, подождите, "
    "минуту, денег, работа, привет, здравствуйте",
    "vi": "a lô, ai đấy, ai gọi đấy, cái gì, gì vậy, bao giờ, ở đâu, tại sao, bao nhiêu, để "
    "sau, gọi lại sau, đừng gọi nữa, xin lỗi, nhầm số, nói lại đi, ngân hàng nào, trả "
    "rồi, tôi trả rồi, ngày mai, hôm nay, chưa, chưa biết, thôi, cảm ơn, nghe đây, đợi "
    "chút, chờ chút, hết tiền, chào anh, chào chị",
    "zh": "喂, 你好, 谁, 你是谁, 什么, 什么事, 什么时候, 在哪里, 为什么, 多少, "
    "以后再说, 不要再打, 打错了, 请重复, 哪个银行, 已经还了, 我还了, 明天, 今天, "
    "不知道, 再见, 谢谢, 请等一下, 等一下, 没钱, 人工, 客服",
}

# Too like a digit to be told where digits may be said.
_DECOYS_OF_YES_NO = (
    "hi, why, maybe, later, repeat, which bank, my name is, i paid, already paid, i "
    "already paid it, i will pay, today, yesterday, i do not know, bye, okay, okay bye, "
    "really, thanks, listen, agent, operator, operator please, wait a second, nobody is "
    "here, he is not here, money, need more time, twenty"
)

# A recogniser tells how sure it is by a measure of its own.
_LEAST_SURENESS = {"pocketsphinx": 0.4}
_LEAST_OF_OTHERS = 0.6


def grammar_of(language: Language, words: Collection[str]) -> Grammar:
    """All that may be heard when these of WORDS are asked for: their phrases, and decoys."""
    wanted = [phrase for word in words for phrase in _split(_ANSWERS[language][word])]
    decoys = _DECOYS[language]
    if language == "en" and not any(word in DIGITS for word in words):
        decoys += ", " + _DECOYS_OF_YES_NO
    return Grammar(tuple(dict.fromkeys((*wanted, *_split(decoys)))))


def word_of(
    language: Language, words: Collection[str], answer: Answer, recogniser: str
) -> tuple[str, float]:
    """(the word, sureness); ("", 0.0) for a decoy, for several phrases, and where it is unsure."""
    if len(answer.words) != 1:
        return "", 0.0
    if answer.sureness < _LEAST_SURENESS.get(recogniser, _LEAST_OF_OTHERS):
        return "", 0.0
    for word in words:
        if answer.words[0] in _split(_ANSWERS[language][word]):
            return word, answer.sureness
    return "", 0.0


def _split(phrases: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in phrases.split(","))
