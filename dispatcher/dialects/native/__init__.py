"""The native API: the paths under /api, the socket at /ws, the pages at /docs and /openapi.json."""
