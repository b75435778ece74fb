"""The web face: live view, kiosk pad, pictures, form editor, REST, metrics.

A request walks through the rooms in this order: `connections` (how many, how long), `guard` (host, origin,
token, rate), `app` (which handler), then `live`, `readings` or `fields`. `pages` holds the static files in
memory, `openapi` describes the interface, `server` binds the port and runs it all. Needs the extra `web`.
"""
