"""Which step comes next depends on what the inputs hold, never on when it arrives."""

from builders import frame
from hypothesis import given
from hypothesis import strategies as st

from pipeline.order import END, Barrier, Step, batches, merge


def step(captured_ns, camera_id="east", index=0):
    return Step((captured_ns, camera_id, index), (frame(camera_id, index, captured_ns),))


def heartbeat(captured_ns):
    return Step((captured_ns, "", 1))


def merged(*inputs):
    return list(merge([iter([*steps, Step(END)]) for steps in inputs]))


def places(steps):
    return [(*s.place, len(s.messages)) for s in steps[:-1]]


def test_takes_the_smallest_place_first():
    east, west = [step(1), step(4)], [step(2, "west"), step(4, "away")]
    assert [s.place[:2] for s in merged(east, west)[:-1]] == [
        (1, "east"),
        (2, "west"),
        (4, "away"),
        (4, "east"),
    ]


def test_makes_one_step_of_one_place_in_the_order_of_the_inputs():
    frames = {name: step(1, name[0]).messages[0] for name in ("b1", "a2", "b2")}
    first, second = Step((1, "", 0), (frames["b1"],)), Step((1, "", 0), (frames["b2"], frames["a2"]))
    (joined, _) = merged([first], [second])
    assert joined.messages == (frames["b1"], frames["b2"], frames["a2"])
    assert joined.by_camera().messages == (frames["a2"], frames["b1"], frames["b2"])


def test_waits_for_an_input_that_has_said_nothing_and_no_longer():
    def silent():
        asked.append("silent")
        yield heartbeat(3)
        asked.append("again")
        yield Step(END)

    asked = []
    steps = merge([iter([step(1), step(2), step(4), Step(END)]), silent()])
    assert [next(steps).place[0] for _ in range(3)] == [1, 2, 3]
    assert asked == ["silent"]
    assert next(steps).place[0] == 4
    assert asked == ["silent", "again"]


def test_an_input_that_has_ended_holds_nobody_up():
    assert len(merged([], [step(1), step(2)])) == 3


def test_a_barrier_brings_the_states_of_all_inputs():
    one, two = (Barrier((5, "", 0), (), {"track": {name: b"x"}}) for name in ("east", "west"))
    (barrier, _) = merged([one], [two])
    assert barrier.states == {"track": {"east": b"x", "west": b"x"}}


@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from("abc"), st.integers(0, 3)), unique=True), st.data()
)
def test_splitting_a_stream_changes_nothing(keys, data):
    steps = [step(*key) for key in sorted(keys)]
    inputs = [[], [], []]
    for one in steps:
        inputs[data.draw(st.integers(0, 2))].append(one)
    assert places(merged(*inputs)) == places([*steps, Step(END)])


def test_a_batch_is_one_capture_time_and_no_more_than_the_most():
    steps = [step(1, "a"), step(1, "b"), step(1, "c"), Barrier((2, "", 0)), step(2), step(3), Step(END)]
    assert [len(batch) for batch in batches(iter(steps), 2)] == [2, 1, 1, 1, 1, 1]
    assert [len(batch) for batch in batches(iter(steps), 1)] == [1] * 7
