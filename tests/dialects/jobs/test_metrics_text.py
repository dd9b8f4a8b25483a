"""The Prometheus text format: what is written can be read by its rules, and the reader knows what is wrong."""

import pytest

from dispatcher.dialects.jobs.metrics_text import family
from tests.support.exposition import parse

NASTY = 'back\\slash "quoted"\nnext, {line} = é'
GOOD = "# HELP a_total A.\n# TYPE a_total counter\na_total 1\n"


def test_names_and_values_come_back_as_they_were() -> None:
    text = family("a", "gauge", NASTY, [("", {"one": NASTY, "two": ""}, 0.1), ("", {}, 1e21), ("", {"one": "x"}, -3)])
    text += family("b_seconds", "summary", "B.", [("_sum", {}, 12.5), ("_count", {}, 3)])
    found = parse(text)
    assert (found["a"].kind, found["a"].about) == ("gauge", NASTY)
    assert found["a"].value(one=NASTY, two="") == 0.1
    assert (found["a"].value(), found["a"].value(one="x")) == (1e21, -3)
    assert (found["b_seconds"].value("_sum"), found["b_seconds"].value("_count")) == (12.5, 3)


@pytest.mark.parametrize(
    "text",
    [
        GOOD[:-1],
        GOOD.replace("\n", "\r\n"),
        GOOD + GOOD,
        GOOD + "a_total 2\n",
        GOOD + "\n",
        GOOD + "b 1\n",
        GOOD + 'a_total{x="1"} -1\n',
        GOOD + 'a_total{x="1"} one\n',
        GOOD + 'a_total{x="1",x="2"} 1\n',
        GOOD + 'a_total{x="a"b"} 1\n',
        GOOD + 'a_total{x="\\q"} 1\n',
        GOOD + 'a_total{1x="1"} 1\n',
        GOOD + 'a_total{__x="1"} 1\n',
        GOOD + "a_total  1\n",
        "a_total 1\n",
        "# HELP a_total A.\na_total 1\n",
        "# HELP a A.\n# TYPE b gauge\nb 1\n",
        "# HELP a A.\n# TYPE a counter\na 1\n",
        "# HELP a A.\n# TYPE a meter\na 1\n",
        "# HELP a A.\n# TYPE a gauge\n",
        "# HELP a A.\n# TYPE a gauge\na_sum 1\n",
        "# HELP a \\x\n# TYPE a gauge\na 1\n",
    ],
)
def test_what_a_scraper_could_stumble_over_is_refused(text: str) -> None:
    assert parse(GOOD)["a_total"].value() == 1
    with pytest.raises(ValueError):
        parse(text)
