"""The networks of the zoo, one after the other: all tests of one stand together."""

import socket
from typing import NoReturn

import pytest

from tests.zoo.architectures import chosen
from tests.zoo.case import Case, case


def refuse(*_: object) -> NoReturn:
    raise OSError("the zoo is built without a network")


@pytest.fixture(scope="session", params=chosen(), ids=lambda architecture: architecture.name)
def item(request: pytest.FixtureRequest) -> Case:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return case(request.param)
