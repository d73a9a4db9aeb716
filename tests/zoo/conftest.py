"""The networks of the zoo, one after the other: all tests of one stand together."""

import pytest
from architectures import chosen
from case import Case, case


@pytest.fixture(scope="session", params=chosen(), ids=lambda architecture: architecture.name)
def item(request: pytest.FixtureRequest) -> Case:
    return case(request.param)
