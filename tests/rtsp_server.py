"""A network camera: GStreamer's RTSP server, run by the system's Python, which has the bindings.

    /usr/bin/python3 rtsp_server.py '{"port": 0, "streams": {"/hall": "videotestsrc ..."}, ...}'

It prints its port once it answers. `login` is basic or digest; `quiet` and `adrift` name streams without sender reports, and
with such as have a wrong time.
"""

import json
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

BY_TIME_SINCE_BOOT = 3

Gst.init(None)  # before anything is made of its kinds


class Adrift(GstRtspServer.RTSPMedia):
    """A camera whose clock begins anew when it is switched on."""

    def do_setup_rtpbin(self, rtpbin):
        rtpbin.set_property("ntp-time-source", BY_TIME_SINCE_BOOT)
        return True


def guard(told):
    """Who may come, and how."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    user, word = told.get("user", ""), told.get("password", "")
    match told.get("login"):
        case "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, word, token)
        case "basic":
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, word), token)
        case None:
            auth.set_default_token(token)
    if "certificate" in told:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(told["certificate"]))
    return auth


def main(told):
    server, permissions = GstRtspServer.RTSPServer(), GstRtspServer.RTSPPermissions()
    for allowed in ("access", "construct"):
        permissions.add_permission_for_role("viewer", f"media.factory.{allowed}", True)
    server.set_address("127.0.0.1")
    server.set_service(str(told["port"]))
    for path, launch in told["streams"].items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        factory.set_shared(True)
        factory.set_permissions(permissions)
        factory.set_enable_rtcp(path not in told.get("quiet", ()))
        if path in told.get("adrift", ()):
            factory.set_media_gtype(Adrift.__gtype__)
        server.get_mount_points().add_factory(path, factory)
    server.set_auth(guard(told))
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main(json.loads(sys.argv[1]))
