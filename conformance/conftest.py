import pytest

from sandbox import Sandbox, fresh_region
from world import Clients, World


@pytest.fixture(scope="session")
def sandbox():
    one = Sandbox(scale=100)
    yield one
    assert one.stop() == 0


@pytest.fixture(autouse=True)
def checked(request, sandbox):
    """Each answer that a test gets is one that botocore's models allow."""
    marker = request.node.get_closest_marker("echoes")
    sandbox.exempt = list(marker.args) if marker else []
    yield
    problems = sorted(set(sandbox.problems))
    sandbox.problems.clear()
    assert not problems, "\n".join(problems)


@pytest.fixture
def aws(sandbox):
    return Clients(sandbox, fresh_region())


@pytest.fixture
def world(aws):
    return World(aws)


def pytest_configure(config):
    config.addinivalue_line("markers", "echoes(*patterns): unknown members that the test itself sends")
