"""`python -m balancer.simulator`: the table, the chart, and its refusals."""

import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import pytest

from balancer.simulator.__main__ import main
from balancer.simulator.chart import HEIGHT, LABEL_GAP, WIDTH, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def table(*arguments: str) -> list[list[str]]:
    out = io.StringIO()
    assert main(arguments, out) == 0
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in out.getvalue().splitlines()]


def test_the_module_prints_a_table_of_every_policy() -> None:
    command = [sys.executable, "-m", "balancer.simulator", "--jobs", "50"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.split("|")[1].strip() for line in done.stdout.splitlines()[2:10]][:2] == [
        "round-robin",
        "weighted-round-robin",
    ]
    assert done.stderr == ""


def test_the_same_seed_prints_the_same_table() -> None:
    first = table("--jobs", "200", "--policies", "random,power-of-two")
    assert table("--jobs", "200", "--policies", "random,power-of-two") == first
    assert table("--jobs", "200", "--policies", "random,power-of-two", "--seed", "2") != first
    assert [row[0] for row in first] == ["policy", "---", "random", "power-of-two"]


def test_a_recorded_trace(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("0,2\n0,2\n")
    rows = table(
        "--trace", str(tmp_path / "trace.csv"), "--speeds", "1,2", "--policies", "round-robin", "--gateways", "1"
    )
    assert rows[2] == ["round-robin", "1.50", "2.00", "1.50", "2.00"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policies", "fastest"], "unknown balancing policy 'fastest'; known: round-robin"),
        (["--speeds", "1,2", "--weights", "1"], "2 speeds but 1 weights"),
        (["--speeds", "0"], "must be positive"),
        (["--weights", "a"], "invalid list of int value"),
        (["--trace", "/no/such/file"], "No such file"),
        (["--trace", "x.csv", "--chart", "x.svg"], "recorded trace"),
        (["--sizes", "pareto"], "invalid choice"),
    ],
)
def test_refusals(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_the_chart_is_well_formed_and_inside_its_frame(tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    main(["--jobs", "100", "--policies", "random,least-connections", "--chart", str(file)], io.StringIO())
    root = parsed(file.read_text(encoding="utf-8"))
    lines = root.findall(f"{SVG}polyline")
    assert len(lines) == 3  # two policies and the shared queue
    for line in lines:
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        assert len(points) == 7
        assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in points)
    assert {"random", "least-connections", "one shared queue"} <= {text.text for text in root.findall(f"{SVG}text")}


def test_labels_do_not_overlap_and_names_are_escaped() -> None:
    chart = line_chart("t", "x", "y", {"<a>": [(0, 1), (1, 5)], "b": [(0, 2), (1, 5)], "c": [(0, 1), (1, 1)]})
    labels = {t.text: float(t.attrib["y"]) for t in parsed(chart).findall(f"{SVG}text") if t.text in ("<a>", "b", "c")}
    heights = sorted(labels.values())
    assert len(heights) == 3
    assert all(lower - upper >= LABEL_GAP - 0.1 for upper, lower in pairwise(heights))


def test_higher_values_are_drawn_higher() -> None:
    chart = line_chart("t", "x", "y", {"a": [(0, 1), (1, 10)]})
    match = re.search(r'points="([\d.]+),([\d.]+) ([\d.]+),([\d.]+)"', chart)
    assert match is not None
    x1, y1, x2, y2 = map(float, match.groups())
    assert x1 < x2
    assert y1 > y2


@pytest.mark.parametrize("points", [[], [(1.0, 2.0)], [(0.0, 0.0), (1.0, 1.0)]])
def test_a_chart_of_nothing_is_refused(points: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="a chart needs"):
        line_chart("t", "x", "y", {"a": points})
