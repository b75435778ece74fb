"""An RTSP camera made of GStreamer's server: plays a video file to each client, from its beginning.

    /usr/bin/python3 tests/system/rtsp_camera.py FILE.mp4 PORT

For the system's own Python, which has GStreamer's bindings. The address is rtsp://127.0.0.1:PORT/film.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[2])
factory = GstRtspServer.RTSPMediaFactory()
film = f'filesrc location="{sys.argv[1]}" ! qtdemux ! h264parse'
factory.set_launch(f"( {film} ! rtph264pay name=pay0 pt=96 config-interval=1 )")
server.get_mount_points().add_factory("/film", factory)
server.attach(None)
print("ready", flush=True)
GLib.MainLoop().run()
