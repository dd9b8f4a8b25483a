"""Settings: read by `app` and `cli` alone, handed on as plain arguments."""

from dispatcher.settings.load import CONFIG_FILE, Loaded, load
from dispatcher.settings.model import Settings
from dispatcher.settings.problems import SettingsError
from dispatcher.settings.secret import Secrets, read_secrets, require_production

__all__ = [
    "CONFIG_FILE",
    "Loaded",
    "Secrets",
    "Settings",
    "SettingsError",
    "load",
    "read_secrets",
    "require_production",
]
