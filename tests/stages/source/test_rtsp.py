"""Network cameras that are GStreamer's RTSP server: how they are come to, when their pictures were taken, what is said."""

import logging
import subprocess
import time
from contextlib import suppress
from itertools import islice

import numpy as np
import pytest
from network_camera import BROKEN, FPS, H264, H265, HEIGHT, ODD, SOUND, WIDTH, NetworkCamera

from pipeline.messages import Frame, Reset, SystemEvent
from pipeline.stage import InputError, NoCameraError
from stages.source import _rtsp_clock, rtsp
from stages.source._rtsp_address import address
from stages.source._rtsp_clock import ARRIVAL, REPORTS, StreamClock
from stages.source.rtsp import Rtsp

USER, WORD = "viewer", "se:c ret@/%1"
STREAMS = {
    "/hall": H264,
    "/h265": H265,
    "/both": f"{H264} {SOUND.format('pay1')}",
    "/sound": SOUND.format("pay0"),
    "/odd": ODD,
    "/broken": BROKEN,
    "/quiet": H264,
    "/adrift": H264,
}


def serving(streams=STREAMS, **told):
    camera = NetworkCamera(streams, **told)
    yield camera
    with suppress(ProcessLookupError):
        camera.kill()


@pytest.fixture(scope="module")
def camera():
    yield from serving(quiet=["/quiet"], adrift=["/adrift"])


@pytest.fixture(scope="module", params=["digest", "basic"])
def guarded(request):
    yield from serving({"/hall": H264}, login=request.param, user=USER, password=WORD)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    key, made = folder / "key.pem", folder / "made.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made]
    more = ["-days", "2", "-subj", "/CN=camera", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command, *more], check=True, capture_output=True)
    (folder / "both.pem").write_bytes(made.read_bytes() + key.read_bytes())
    return folder


@pytest.fixture(scope="module")
def secured(certificate):
    yield from serving({"/hall": H264}, certificate=str(certificate / "both.pem"))


@pytest.fixture
def login(tmp_path):
    def write(text, mode=0o600):
        path = tmp_path / "login"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write


def source(url, **settings):
    return Rtsp(camera_id="hall", url=url, **settings)


def given(one, count):
    """What comes until so many frames have."""
    told, frames = [], 0
    for message in one.produce(0):
        told.append(message)
        frames += isinstance(message, Frame)
        if frames == count:
            break
    one.close()
    return [m for m in told if isinstance(m, Frame)], [m for m in told if not isinstance(m, Frame)]


@pytest.mark.parametrize(
    ("path", "settings"),
    [("/h265", {"transport": "udp"}), ("/both", {"shows": "infrared"})],
)
def test_a_picture_was_taken_when_the_camera_says_so(camera, path, settings):
    one = source(camera.url(path), **settings)
    one.open()
    frames, events = given(one, 8)
    late_s = [time.time() - frames[-1].captured_ns / 1e9]
    steps = np.diff([frame.captured_ns for frame in frames]) / 1e9
    assert steps == pytest.approx(1 / FPS, abs=0.01)
    assert 0 < late_s[0] < 2
    assert {frame.clock for frame in frames} == {REPORTS}
    assert np.diff([frame.index for frame in frames]).tolist() == [1] * 7
    picture = frames[0].infrared if "shows" in settings else frames[0].color
    assert picture.shape == ((HEIGHT, WIDTH) if "shows" in settings else (HEIGHT, WIDTH, 3))
    assert picture.std() > 20
    up, gap = events
    assert up.kind == "source_up" and ("hevc of" if path == "/h265" else "h264 of") in up.detail
    assert gap.counts == {"untied_clock": frames[0].index}


def test_a_camera_without_sender_reports_is_timed_by_arrival_and_said_so(camera, monkeypatch):
    monkeypatch.setattr(_rtsp_clock, "SETTLING_NS", 500_000_000)
    frames, events = given(source(camera.url("/quiet")), 3)
    assert {frame.clock for frame in frames} == {ARRIVAL}
    assert abs(time.time() - frames[-1].captured_ns / 1e9) < 2
    assert events[0].detail.endswith("frames have the time when they came")


def test_the_time_of_a_camera_whose_clock_was_never_set_is_not_taken(camera):
    frames, events = given(source(camera.url("/adrift")), 3)
    assert {frame.clock for frame in frames} == {ARRIVAL}
    assert abs(time.time() - frames[-1].captured_ns / 1e9) < 2
    assert "s behind this machine's: frames have the time when they came; set both by NTP" in events[0].detail


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/elsewhere", "has no stream of this name (404); check the path of the address"),
        ("/sound", "gives no pictures under this address"),
        ("/odd", "no decoder for; switch the camera to H.264 or H.265"),
    ],
)
def test_a_stream_that_is_not_there_or_cannot_be_shown_is_one_line(camera, path, said):
    with pytest.raises(InputError) as caught:
        source(camera.url(path)).open()
    assert str(caught.value).startswith(f"cameras.hall: {camera.url(path)} ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rtsp://127.0.0.1:1/x", "port 1 is refused; check the port"),
        ("rtsp://camera.invalid/x", "the host 'camera.invalid' is not known; check its name"),
    ],
)
def test_a_camera_that_is_not_there_is_one_line(url, said):
    with pytest.raises(NoCameraError, match=said):
        source(url).open()


def test_a_camera_that_fails_by_itself_is_one_line(camera):
    with pytest.raises(NoCameraError, match=r"cannot serve this stream itself \(5xx\)"):
        source(camera.url("/broken")).open()


def test_a_camera_that_does_not_answer_is_one_line(camera, monkeypatch):
    monkeypatch.setattr("stages.source._rtsp_connection.ANSWER_S", 0.5)
    camera.stop()
    try:
        with pytest.raises(NoCameraError, match=r"does not answer within 0\.5 s; check"):
            source(camera.url()).open()
    finally:
        camera.go_on()


def test_who_may_see_a_camera_is_told_from_who_may_not(guarded, login, caplog, monkeypatch):
    caplog.set_level(logging.DEBUG)
    source(guarded.url(), login_file=login(f"{USER}:{WORD}\n")).open()
    monkeypatch.setenv("LOGIN_OF_HALL", f"{USER}:{WORD}")
    one = source(guarded.url(), login_variable="LOGIN_OF_HALL")
    one.open()
    with pytest.raises(InputError, match="wants a user and a password") as without:
        source(guarded.url()).open()
    with pytest.raises(InputError, match="refuses the user or the password") as wrong:
        source(guarded.url(), login_file=login(f"{USER}:nonsense")).open()
    for text in (repr(one), caplog.text, repr(without.value), repr(wrong.value)):
        assert not [secret for secret in (WORD, "ret%40", "nonsense") if secret in text]
    assert wrong.value.__cause__ is None and wrong.value.__suppress_context__


@pytest.mark.parametrize(
    ("url", "text", "mode", "said"),
    [
        ("rtsp://c/x", "a:b", 0o644, "others may read it; chmod 600"),
        ("rtsp://c/x", "only", 0o600, "must hold user:password, with a colon between the two"),
        ("rtsp://c/x?u={user}", None, 0, "wants a user and a password; name login_file or login_variable"),
    ],
)
def test_a_login_that_cannot_be_used_is_one_line(login, url, text, mode, said):
    with pytest.raises(InputError, match=said):
        address(url, "", login(text, mode) if text else "", "cameras.hall")


def test_a_login_that_belongs_into_the_path_is_put_there_and_shown_nowhere(login):
    url = "rtsp://10.0.0.9/user={user}&password={password}&channel=1"
    there = address(url, "", login("ad min:p/w"), "cameras.hall")
    assert there.secret_url == "rtsp://10.0.0.9/user=ad%20min&password=p%2Fw&channel=1"
    assert "p/w" not in repr(there) and "%2F" not in repr(there)


@pytest.mark.parametrize(
    "url", ["rtsp://me:hidden@10.0.0.9/x", "rtsp://10.0.0.9/user=me&password=hidden&channel=1"]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url):
    with pytest.raises(ValueError, match="write user:password into a file with mode 600") as caught:
        source(url)
    assert "hidden" not in repr(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"url": "http://c/x"}, "must be like rtsp://"),
        ({"url": "rtsp://c:port/x"}, "is no address"),
        ({"url": "rtsp://c/x", "ca": "x"}, "ca and verify are for rtsps"),
        ({"url": "rtsps://c/x", "transport": "udp"}, "must be tcp with rtsps"),
        ({"url": "rtsp://c/x", "login_file": "a", "login_variable": "b"}, "exclude each other"),
        ({"url": "rtsp://c/x", "stall_s": 0.0}, "stall_s must be above 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        source(**settings)


def test_tls_wants_to_know_whom_it_trusts(secured, camera, certificate):
    url = secured.url(scheme="rtsps", host="localhost")
    source(url, ca=str(certificate / "made.pem")).open()
    source(url, verify=False).open()
    with pytest.raises(InputError, match="its certificate is not trusted, self-signed certificate; name"):
        source(url).open()
    with pytest.raises(InputError, match="does not speak TLS on port"):
        source(camera.url(scheme="rtsps")).open()
    with pytest.raises(NoCameraError, match="check the port, and whether it wants rtsp or rtsps"):
        source(secured.url()).open()


def test_a_camera_that_freezes_or_goes_away_is_said_so_and_comes_back(monkeypatch):
    monkeypatch.setattr(rtsp, "DELAYS_S", (0.2, 0.4))
    for camera in serving({"/hall": H264}):
        one = source(camera.url(), clock="arrival", stall_s=1.0)
        told = one.produce(0)
        before = [next(told) for _ in range(8)]
        camera.stop()
        stalled = until(told, "source_stalled")
        camera.go_on()
        up = until(told, "source_up")
        first = list(islice(told, 3))
        camera.kill()
        down = until(told, "source_down")
        time.sleep(0.5)
        camera.start()
        again = [*until(told, "source_up"), *islice(told, 3)]
        one.close()
    assert stalled[-1].detail.endswith("gave nothing for 1 s; the next attempt follows in 0.2 s")
    every = [*before, *stalled, *up, *first, *down, *again]
    frames = [m for m in every if isinstance(m, Frame)]
    assert all(np.diff([frame.captured_ns for frame in frames]) > 0)
    gaps = [m for m in every if isinstance(m, SystemEvent) and m.kind == "gap"]
    lost = [gap.counts.get("connection", 0) for gap in gaps]  # on a busy machine not a frame may be missing
    assert gaps[-1].detail.endswith(f"not connected, {lost[-1]} frames at its rate")
    skipped = np.diff([frame.index for frame in frames]) - 1
    assert skipped[skipped > 0].tolist() == [count for count in lost if count]
    assert not [m for m in every if isinstance(m, Reset)]


def until(told, kind):
    """What comes up to an event of this kind."""
    found = []
    for message in told:
        found.append(message)
        if isinstance(message, SystemEvent) and message.kind == kind:
            return found
    raise AssertionError(found)


def test_by_arrival_the_intervals_are_those_of_the_camera_and_the_quickest_way_counts():
    clock = StreamClock(is_told=False)
    stamps = range(0, 400_000_000, 100_000_000)
    for stamp_ns, late_ns in zip(stamps, (90, 10, 70, 300), strict=True):
        clock.heard(stamp_ns, 10**18 + stamp_ns + late_ns * 1_000_000, None)
    assert clock.is_settled and clock.domain == ARRIVAL
    assert clock.captured_ns(400_000_000) == 10**18 + 410_000_000


def test_by_arrival_a_clock_that_runs_slow_is_followed():
    clock = StreamClock(is_told=False)
    for second in range(3600):
        clock.heard(second * 10**9, second * (10**9 + 50_000), None)  # 50 ppm
    assert abs(clock.captured_ns(3599 * 10**9) - 3599 * (10**9 + 50_000)) < 2_000_000


def test_a_pause_of_this_machine_is_no_difference_of_clocks():
    clock = StreamClock(is_told=True)
    for second in range(5):
        clock.heard(second * 10**9, 10**18 + second * 10**9, 10**18 + second * 10**9 - 5)
    clock.heard(5 * 10**9, 10**18 + 65 * 10**9, 10**18 + 5 * 10**9 - 5)
    assert clock.domain == REPORTS
    assert clock.captured_ns(5 * 10**9) == 10**18 + 5 * 10**9 - 5
