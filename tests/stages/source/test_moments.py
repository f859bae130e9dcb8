"""Pictures of one moment become one frame, as in the SDK's own frame sets, and not one is lost uncounted."""

import pyrealsense2 as rs
from hypothesis import given
from hypothesis import strategies as st
from sdk_files import START_MS, Software, shots

from calibration.camera import Intrinsics, Mount
from stages.source._moments import MOST_WAITING, Moments, Optics, Shot

RATES = {"depth": 30, "color": 30}


def shot(stream, stamp_ms, number=0, picture="pixels"):
    return Shot(stream, stamp_ms, "global_time", number, picture)


def joined(moments, given):
    """Stamps of each moment: the leading one's, then those of the others."""
    made = [moment for one in given for moment in moments.add(one)]
    made += moments.finish()
    return [tuple(s.stamp_ms for s in moment.shots) for moment in made]


def test_pictures_less_than_half_a_period_apart_are_one_moment():
    moments = Moments(RATES)
    given = [shot("depth", 0.0), shot("color", 16.0), shot("depth", 33.0), shot("color", 50.0)]
    assert joined(moments, given) == [(0.0, 16.0), (33.0,)]
    assert moments.unpaired == 1


def test_half_a_period_of_the_slower_stream_counts():
    assert joined(Moments({"depth": 30, "color": 15}), [shot("depth", 0.0), shot("color", 33.0)]) == [
        (0.0, 33.0)
    ]


def test_a_moment_comes_as_soon_as_its_pictures_are_there():
    moments = Moments(RATES)
    assert list(moments.add(shot("depth", 0.0))) == []
    assert [len(m.shots) for m in moments.add(shot("color", 1.0))] == [2]


def test_a_moment_comes_without_a_picture_that_can_no_longer_come():
    moments = Moments(RATES)
    list(moments.add(shot("depth", 0.0)))
    assert [len(m.shots) for m in moments.add(shot("color", 33.0))] == [1]


def test_a_stream_that_falls_silent_does_not_hold_the_others_for_ever():
    moments = Moments(RATES)
    came = [len(list(moments.add(shot("depth", 33.0 * n)))) for n in range(MOST_WAITING + 3)]
    assert came == [0] * MOST_WAITING + [1] * 3


def test_a_stream_alone_waits_for_nothing():
    moments = Moments({"color": 30})
    assert [m.lead.stream for m in moments.add(shot("color", 5.0))] == ["color"]


def test_a_clock_that_goes_back_in_one_stream_before_the_other_pairs_what_belongs_together():
    moments = Moments(RATES)
    before = [shot("depth", 9000.0), shot("color", 9001.0), shot("depth", 9033.0)]
    after = [shot("color", 101.0), shot("depth", 100.0), shot("color", 134.0), shot("depth", 133.0)]
    assert joined(moments, before + after) == [(9000.0, 9001.0), (9033.0,), (100.0, 101.0), (133.0, 134.0)]
    assert moments.unpaired == 0


def test_a_picture_of_the_old_clock_does_not_block_the_new_one():
    moments = Moments(RATES)
    before = [shot("depth", 9000.0), shot("color", 9001.0), shot("color", 9034.0), shot("color", 9067.0)]
    after = [shot("depth", 100.0), shot("color", 101.0)]
    assert joined(moments, before + after) == [(9000.0, 9001.0), (100.0, 101.0)]
    assert moments.unpaired == 2


times_ms = st.lists(st.integers(0, 3000), unique=True, max_size=40).map(sorted)


@given(times_ms, times_ms, st.randoms(use_true_random=False))
def test_every_picture_is_in_one_moment_or_counted_and_no_pair_is_missed(depth_ms, color_ms, random):
    given, left = [], {"depth": list(depth_ms), "color": list(color_ms)}
    while any(left.values()):  # the streams come mixed, each in its order, neither far behind
        stream = min((s for s in left if left[s]), key=lambda s: left[s][0] + random.uniform(0, 50))
        given.append(shot(stream, float(left[stream].pop(0))))
    moments = Moments(RATES)
    made = joined(moments, given)
    assert [moment[0] for moment in made] == depth_ms
    assert sum(len(moment) - 1 for moment in made) + moments.unpaired == len(color_ms)
    assert all(abs(moment[0] - moment[1]) < 500 / 30 for moment in made if len(moment) == 2)
    alone = [ms for ms in color_ms if ms not in {moment[1] for moment in made if len(moment) == 2}]
    lonely = [moment[0] for moment in made if len(moment) == 1]
    nearest = {ms: min((abs(ms - d) for d in depth_ms), default=1e9) for ms in alone}
    for (
        ms
    ) in alone:  # one that lies within reach of a depth picture was only left out for another colour picture
        assert nearest[ms] >= 500 / 30 or all(abs(ms - d) >= 500 / 30 for d in lonely)


def test_a_moment_becomes_a_frame_with_the_number_and_clock_of_its_leading_picture():
    optics = Optics(Intrinsics(64, 48, 50.0, 50.0, 32.0, 24.0), depth_scale_m=0.0001)
    (moment,) = Moments({"depth": 30}).add(shot("depth", 5.0, 7, "depth pixels"))
    frame = optics.frame(
        moment, optics.view(Mount(height_m=3.0, pitch_deg=0.0, roll_deg=0.0)), "flat", 3, 5_000_000
    )
    assert (frame.camera_id, frame.index, frame.captured_ns, frame.clock) == (
        "flat",
        3,
        5_000_000,
        "global_time",
    )
    assert (frame.depth, frame.color, frame.infrared, frame.depth_scale_m) == (
        "depth pixels",
        None,
        None,
        0.0001,
    )
    assert frame.view.pose.translation_m[2] == 3.0


def test_the_pairs_are_those_of_the_sdk_s_own_frame_sets():
    shown = shots(20, streams=("depth",)) + shots(20, streams=("color",), start_ms=START_MS + 9.0)
    shown = sorted(shown, key=lambda s: s.stamp_ms)
    del shown[10], shown[21]  # a colour and a depth picture are missing
    ours = joined(Moments(RATES), shown)
    theirs = frame_sets(shown)
    pairs = {pair for pair in ours if len(pair) == 2}
    settled = START_MS + 100.0  # at first the SDK does not know yet which streams there are
    assert {pair for pair in theirs if pair[0] > settled} == {pair for pair in pairs if pair[0] > settled}


def frame_sets(given):
    """Stamps of depth and colour of each frame set that has both, from the SDK's syncer. It is shown the pictures in
    this order: of a recording that is played, a thread for each sensor would show them in any.
    """
    software, syncer, found = Software(given), rs.syncer(len(given)), []
    sensors = software.device.query_sensors()
    for sensor in sensors:
        sensor.open(sensor.profiles)
        sensor.start(syncer)
    for shown in given:
        software.show(shown)
        while together := syncer.poll_for_frames():
            if together.size() == 2:
                found.append((together.get_depth_frame().timestamp, together.get_color_frame().timestamp))
    for sensor in sensors:
        sensor.stop()
        sensor.close()
    return found
