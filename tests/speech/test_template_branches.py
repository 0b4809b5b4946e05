from __future__ import annotations

from duecall.speech.template import MessageTemplate
from duecall.speech.template_branches import BRANCHES_MAX, branches_of
from duecall.speech.values import DaysCount


def said(source: str) -> set[str]:
    branches = branches_of(MessageTemplate(source, "en"))
    return {"".join(map(str, branch.render({"dpd": DaysCount(1)}))) for branch in branches}


def test_a_text_without_conditions_is_its_own_only_branch() -> None:
    assert said("Hello {# not {% if this %} #}all.") == {"Hello all."}


def test_every_branch_is_taken_whatever_the_condition_says() -> None:
    one = "{% if dpd > 5 %}late{% elif dpd == 4 -%} soon {%- else %}now{% endif %}"
    source = one + ", {%if dpd%}a{%endif%}b"
    assert said(source) == {
        f"{one}, {two}" for one in ("late", "soon", "now") for two in ("ab", "b")
    }


def test_a_condition_within_another() -> None:
    source = "{% if dpd %}x{% if dpd > 9 %}y{% endif %}{% else %}z{% endif %}"
    assert said(source) == {"xy", "x", "z"}


def test_many_conditions_are_turned_one_by_one() -> None:
    source = "".join(f"{{% if dpd > {n} %}}a{n}{{% else %}}b{n}{{% endif %}}" for n in range(20))
    branches = said(source)
    assert len(branches) < BRANCHES_MAX
    assert all(
        any(f"{side}{n}" in branch for branch in branches) for side in "ab" for n in range(20)
    )
