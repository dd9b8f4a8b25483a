"""Amounts, their rounding to a ladder, and what lanes and classes make of them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain.lane import Demand, Offer, fits
from dispatcher.domain.resources import NOTHING, Resources

parts = st.floats(0, 512)
sizes = st.integers(0, 1 << 44)
resources = st.builds(Resources, parts, sizes, sizes, parts, sizes)


@given(resources, resources, st.booleans())
def test_a_task_that_fits_always_meets_its_server(needs: Resources, more: Resources, exactly: bool) -> None:
    totals = needs if exactly else needs + more
    assert needs.fits_in(totals)
    assert fits(Demand().shaped(needs), Offer(resources=totals))
    assert fits(Demand().shaped(needs), Offer(resources=totals).rounded)


@given(resources)
def test_rounding_less_than_doubles(needs: Resources) -> None:
    smallest = (0.125, 1 << 28, 1 << 28, 0.125, 1 << 28)
    for amount, shaped, least in zip(needs.amounts, needs.shape.amounts, smallest, strict=True):
        assert amount <= shaped < 2 * max(amount, least)
    assert needs.shape.shape == needs.shape


def test_the_ladder_has_two_rungs_to_a_doubling() -> None:
    rungs = sorted({Resources(cpu=n / 8).shape.cpu for n in range(1, 129)})
    assert rungs == [0.125, 0.25, 0.375, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16]
    assert {Resources(memory=n).shape.memory for n in (1, 1 << 20, 1 << 28)} == {1 << 28}
    assert Resources(memory=(1 << 28) + 1).shape.memory == 1 << 29
    assert NOTHING.shape == NOTHING


def test_tenths_add_up() -> None:
    assert (Resources(cpu=0.1) + Resources(cpu=0.2)).fits_in(Resources(cpu=0.3))
    assert Resources(cpu=1 / 3, gpu=2 / 3) == Resources(cpu=0.333, gpu=0.667)


@given(resources)
def test_amounts_survive_as_text(amounts: Resources) -> None:
    assert Resources.from_text(amounts.to_text()) == amounts


@pytest.mark.parametrize("bad", [{"cpu": -1}, {"memory": -1}, {"gpu": math.nan}, {"cpu": math.inf}])
def test_an_amount_is_finite_and_not_negative(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(bad))} must be"):
        Resources(**bad)


@given(resources)
def test_demands_and_offers_survive_json(amounts: Resources) -> None:
    for demand in (Demand(resources=amounts), Demand().shaped(amounts)):
        assert Demand.from_json(demand.to_json()) == demand
    offer = Offer(resources=amounts)
    assert Offer.from_json(offer.to_json()) == offer
    assert (Offer(resources=amounts).server_class == Offer().server_class) is False


def test_without_resources_ids_and_texts_are_those_of_before() -> None:
    assert Demand().shaped(NOTHING).lane == "f102b8de05ffd66f"
    assert "resources" not in Demand().to_json() + Offer().to_json()
    assert Demand.from_json('{"kind": "predict", "capabilities": [], "group": null}') == Demand()
    assert Offer.from_json('{"kinds": ["predict"], "capabilities": [], "groups": []}') == Offer()


def test_servers_of_about_the_same_size_share_a_class() -> None:
    one, two = Offer(resources=Resources(cpu=7, memory=15 << 30)), Offer(resources=Resources(cpu=8, memory=16 << 30))
    assert one.server_class == two.server_class != Offer(resources=Resources(cpu=9)).server_class
    assert one.rounded == two


def test_undeclared_totals_fit_anything() -> None:
    huge = Demand().shaped(Resources(1000, 1 << 50, 1 << 50, 1000, 1 << 50))
    assert fits(huge, Offer())
    assert not fits(huge, Offer(resources=NOTHING))
