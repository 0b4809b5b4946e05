"""Where a message is cut, and where its pauses go."""

from __future__ import annotations

import pytest

from duecall.speech.fragments import GROUP_MS
from duecall.speech.planner import CLAUSE_MS, JOIN_MS, SENTENCE_MS, Planner, Utterance, plan
from duecall.speech.values import Count, DaysCount, Money, Name, Phone, Text


def said(pieces, language="vi"):
    """(text, silence before, silence after) of each utterance."""
    return [(u.text, u.lead_ms, u.tail_ms) for u in plan(pieces, language)]


def test_static_text_is_cut_at_its_punctuation():
    assert said(["Xin chào. Đây là ngân hàng, chúng tôi gọi!"]) == [
        ("Xin chào.", 0, SENTENCE_MS),
        ("Đây là ngân hàng,", 0, CLAUSE_MS),
        ("chúng tôi gọi!", 0, SENTENCE_MS),
    ]


def test_pauses_go_to_the_static_side():
    assert said(["Chào ", Name("An"), ", khoản nợ là ", Count(3), ". Cảm ơn."]) == [
        ("Chào", 0, JOIN_MS),
        ("An", 0, 0),
        ("khoản nợ là", CLAUSE_MS, JOIN_MS),
        ("ba", 0, 0),
        ("Cảm ơn.", SENTENCE_MS, SENTENCE_MS),
    ]


def test_silence_between_two_values_stands_alone():
    assert said([Name("An"), " ", Count(3), ", ", Count(4), "."]) == [
        ("An", 0, 0),
        ("", JOIN_MS, 0),
        ("ba", 0, 0),
        ("", CLAUSE_MS, 0),
        ("bốn", 0, 0),
        ("", SENTENCE_MS, 0),
    ]


def test_what_is_personal_and_what_is_static():
    planned = plan(["Chào ", Name("An"), " ", Text("B", personal=False), DaysCount(2)], "vi")
    spoken = [u for u in planned if u.text]
    assert [u.text for u in spoken] == ["Chào", "An", "B", "hai", "ngày"]
    assert [u.static for u in spoken] == [True, False, False, False, False]
    assert [u.personal for u in spoken] == [False, True, False, False, False]


def test_a_value_is_joined_of_fragments_without_a_pause():
    assert said(["Nợ ", Money(1_234_567, "VND"), "."]) == [
        ("Nợ", 0, JOIN_MS),
        ("một triệu", 0, 0),
        ("hai trăm ba mươi tư nghìn", 0, 0),
        ("năm trăm sáu mươi bảy", 0, 0),
        ("đồng", 0, 0),
        ("", SENTENCE_MS, 0),
    ]


def test_groups_of_a_phone_are_parted_and_tell_nobodys():
    planned = plan(["Số ", Phone("0912345678")], "vi")
    assert [(u.text, u.tail_ms) for u in planned[1:]] == [
        ("không chín", 0),
        ("một hai", GROUP_MS),
        ("ba bốn năm", GROUP_MS),
        ("sáu bảy tám", 0),
    ]
    assert not any(u.personal for u in planned)


def test_whole_sentences_hold_their_values():
    planner = Planner("vi", whole=True)
    pieces = ["Chào ", Name("An"), ", khoản nợ là ", Count(3), ". Cảm ơn. Gọi ", Text("B", False)]
    assert [(u.text, u.static, u.personal, u.tail_ms) for u in planner.plan(pieces)] == [
        ("Chào An, khoản nợ là ba.", False, True, 0),
        ("Cảm ơn.", True, False, SENTENCE_MS),
        ("Gọi B", False, False, 0),
    ]
    assert planner.plan(pieces)[1].lead_ms == SENTENCE_MS


def test_a_sum_within_its_sentence_is_personal():
    (said,) = (u for u in Planner("vi", whole=True).plan(["Nợ ", Count(3)]) if u.text)
    assert said.personal


def test_plans_are_the_same_when_they_are_remembered():
    planner = Planner("ru")
    pieces = ["Долг: ", Money(123_456, "RUB"), ", срок ", DaysCount(3), ". Да."]
    first = planner.plan(pieces)
    assert planner.plan(pieces) == first == plan(pieces, "ru")
    assert planner.plan(["Долг: ", DaysCount(3)]) == plan(["Долг: ", DaysCount(3)], "ru")


@pytest.mark.parametrize(
    ("text", "cuts"),
    [
        ("您好，我们是银行。请还款！", ["您好，", "我们是银行。", "请还款！"]),
        ("г. Москва, ул. Ленина.", ["г. Москва,", "ул. Ленина."]),
        ("Dear Mr. Smith: hello", ["Dear Mr. Smith:", "hello"]),
        ("TP. Hồ Chí Minh. Xin chào", ["TP. Hồ Chí Minh.", "Xin chào"]),
        ("А. С. Пушкин. Да", ["А. С. Пушкин.", "Да"]),
        ("khoản nợ. Xin", ["khoản nợ.", "Xin"]),
        ("lãi a.b c", ["lãi a.b c"]),
        ("He said “pay.” Now", ["He said “pay.”", "Now"]),
        ("wait... now", ["wait...", "now"]),
        (" . , ", []),
        ("", []),
        ("«да»", ["да»"]),
    ],
)
def test_cuts(text, cuts):
    assert [u.text.lstrip("«") for u in plan([text], "ru") if u.text] == cuts


def test_the_longest_of_pauses_in_a_row_counts():
    assert said(["a, . ", Count(1)])[0] == ("a,", 0, SENTENCE_MS)
    assert said(["a. , ", Count(1)])[0] == ("a.", 0, SENTENCE_MS)


def test_the_same_words_with_the_same_pause_are_one_utterance():
    planned = plan(["a, b, a, b."], "en")
    assert planned[0] == planned[2]
    assert isinstance(planned[0], Utterance)
