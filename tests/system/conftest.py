"""Fixtures: what each test gets of its own."""
import os
import pwd

import pytest

import o7s
import pki as certificates
import security
import wire

# Every test ends; those that take long say so themselves.
TIMEOUT_S = 60 * o7s.PATIENCE


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT_S))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the logs of the test's instances to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for instance in getattr(item, "instances", ()):
            for name, text in instance.logs():
                report.sections.append(("%s of %s" % (name, instance.directory.name), text))


@pytest.fixture(scope="session")
def ordinary_user():
    """Whom everything runs as by default; None: as the tests themselves, which are not root."""
    return o7s.nobody() if os.getuid() == 0 else None


@pytest.fixture(scope="session")
def other_user():
    """Somebody who is neither root nor the daemon's user."""
    if os.getuid() != 0:
        pytest.skip("needs root to become somebody else")
    return pwd.getpwnam("daemon")


@pytest.fixture(scope="session")
def build(ordinary_user):
    o7s.become_subreaper()
    found = o7s.Build(o7s.build_dir(), ordinary_user)
    yield found
    found.destroy()


@pytest.fixture
def make_instance(request, build, ordinary_user):
    """Makes instances: make_instance("--limit", "backlog=3"), all run by an ordinary user unless told otherwise."""
    request.node.instances = []

    def make(*options, start=True, **how):
        how.setdefault("user", None if "drop_to" in how else ordinary_user)
        instance = o7s.Instance(build, options=options, **how)
        request.node.instances.append(instance)
        return instance.start() if start else instance

    yield make
    faults = []
    for instance in request.node.instances:
        try:
            instance.destroy()
        except AssertionError as fault:
            faults.append(str(fault))
    assert not faults, "\n".join(faults)


@pytest.fixture
def irmd(make_instance):
    """A running daemon of an ordinary user."""
    return make_instance()


@pytest.fixture(params=["ordinary", "dropped"])
def irmd_each_way(request, make_instance):
    """A daemon of an ordinary user, and one that root started and that became one."""
    if request.param == "ordinary":
        return make_instance()
    if os.getuid() != 0:
        pytest.skip("needs root")
    return make_instance(drop_to=o7s.nobody())


@pytest.fixture(scope="session")
def pki():
    """An authority, .root, with an intermediate, .middle, and what they issued to a .server and a .client."""
    return certificates.Pki()


@pytest.fixture
def scene(make_instance, pki):
    """A security.Scene whose daemon is still to be started, after its files are written."""
    return security.Scene(make_instance(start=False), pki)


@pytest.fixture
def tapped(scene):
    """The same with a wire.Wire, scene.wire, in place of the local layer."""
    scene.wire = wire.Wire(scene.irmd)
    return scene
