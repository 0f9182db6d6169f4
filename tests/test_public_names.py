"""What lies at the top of the package."""

import pytest

import handprep

MOVED = handprep._MOVED


def test_at_most_24_names_are_public():
    assert len(handprep.__all__) <= 24
    assert all(hasattr(handprep, name) for name in handprep.__all__)


@pytest.mark.parametrize("name", sorted(MOVED))
def test_names_of_the_first_release_are_still_found(name):
    with pytest.warns(DeprecationWarning, match=f"import {name} from handprep.{MOVED[name]}"):
        moved = getattr(handprep, name)
    assert moved is not None
    assert name not in handprep.__all__


def test_other_names_are_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = handprep.nothing
