"""A network camera for tests, as a process that can be stopped, killed and started again at the same port."""

import json
import signal
import subprocess
from pathlib import Path

SERVER = Path(__file__).with_name("rtsp_server.py")
SYSTEM_PYTHON = "/usr/bin/python3"  # it has the bindings of GStreamer
WIDTH, HEIGHT, FPS = 320, 240, 15
PICTURES = (
    f"videotestsrc is-live=true ! video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
)
H264 = f"{PICTURES} ! x264enc tune=zerolatency key-int-max=15 ! rtph264pay name=pay0 pt=96 config-interval=1"
H265 = f"{PICTURES} ! x265enc tune=zerolatency key-int-max=15 ! rtph265pay name=pay0 pt=96 config-interval=1"
SOUND = "audiotestsrc is-live=true ! alawenc ! rtppcmapay name={} pt=8"
FUTURE = "caps=application/x-rtp,media=video,encoding-name=FUTURE"  # a codec that nobody knows yet
ODD = f"{PICTURES} ! rtpgstpay pt=96 ! capssetter name=pay0 {FUTURE}"
BROKEN = f"{PICTURES} ! openjpegenc ! rtpj2kpay name=pay0 pt=96"  # GStreamer's server cannot serve this


class NetworkCamera:
    """One server with the streams that it is given, by path."""

    def __init__(self, streams, **told):
        self.told = {"port": 0, "streams": streams, **told}
        self.start()

    def start(self):
        """Return when it answers; again, at the same port."""
        command = [SYSTEM_PYTHON, str(SERVER), json.dumps(self.told)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self._process.stdout.readline()
        assert line.strip().isdigit(), "GStreamer's RTSP server does not start: see .ci/run for its packages"
        self.told["port"] = int(line)

    def url(self, path="/hall", scheme="rtsp", host="127.0.0.1"):
        return f"{scheme}://{host}:{self.told['port']}{path}"

    def stop(self):
        """Freeze it: connections stay, and nothing comes."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()
