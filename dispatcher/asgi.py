"""`dispatcher.asgi:app`, for any ASGI server. Configured by file and environment alone, as `dispatcher serve` is.

The server must run the lifespan; its own drain ends requests, ours ends tasks. `dispatcher serve` does both.
"""

import logging
import os

from dispatcher.app import build, open_configured
from dispatcher.app.options import callback_problems, open_doors
from dispatcher.auth.secret import check_secret
from dispatcher.launch.logs import configure_logs
from dispatcher.settings import SettingsError, load, read_secrets, require_production

_loaded = load(os.environ)
_secrets = read_secrets(_loaded.environ)
require_production(_secrets, check_secret)
if _loaded.env == "production" and (_doors := open_doors(_loaded.settings)):
    raise SettingsError(_doors)
configure_logs(_loaded.settings.log.level, _loaded.settings.log.format)
_unreached = callback_problems(_loaded.settings)
if _unreached and _loaded.env == "production":
    raise SettingsError(_unreached)
for _problem in _unreached:
    logging.getLogger(__name__).warning(_problem)
app = build(_loaded.settings, _secrets, open_configured(_loaded.settings, _secrets.redis_url)).asgi
