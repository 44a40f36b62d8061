"""C12: `disabled` in enc.cfg: who both ends are is proved when the flow is allocated, and nothing is encrypted."""
from security import REMOTE


def test_disabled_with_credentials_is_authenticated_plaintext_C12(tapped):
    tapped.usual(REMOTE + "disabled\n").start()
    for peer in tapped.works():
        assert (peer["authenticated"], peer["encrypted"], peer["suite"]) == (1, 0, 0)
    assert (tapped.wire.requests[0][2], tapped.wire.responses[0][2]) == (0, 0)
    assert tapped.audit.wait(event="established", end="server")["suite"] == "plain"


def test_check_warns_of_what_is_plain_C12(scene):
    scene.usual(REMOTE + "disabled\n").start()
    notes = scene.irmd.irm("--json", "security", "check")["notes"]
    assert [note for note in notes if "plain" in note], notes
