"""Stores with the configured namespace, bounds and first policy."""

from dispatcher.app.options import store_options
from dispatcher.files import Places, blobs_at
from dispatcher.service.ports import BlobStore
from dispatcher.settings import Settings, SettingsError
from dispatcher.store import Store, open_store, store_on
from dispatcher.store.engine import Engine


def open_configured(settings: Settings, url: str, source: str = "DISPATCHER_REDIS_URL") -> Store:
    """The store at a URL. Raises SettingsError naming `source` for a text that is none."""
    try:
        return open_store(
            url,
            namespace=settings.namespace,
            options=store_options(settings),
            algorithm=settings.balancer.algorithm,
        )
    except ValueError:  # its text may quote the password
        raise SettingsError([f"{source}: not a redis://, rediss:// or unix:// URL"]) from None


def store_of(settings: Settings, engine: Engine) -> Store:
    """The store on an engine of our own."""
    if engine.durable:
        return open_configured(settings, engine.url)
    return store_on(
        engine.client(),
        engine.client,
        namespace=settings.namespace,
        options=store_options(settings),
        algorithm=settings.balancer.algorithm,
    )


def configured_blobs(settings: Settings) -> BlobStore:
    """Where the bytes of files go. Raises SettingsError."""
    usual = _blobs_at(settings, settings.files.directory, "files.directory")
    apart = {
        origin: _blobs_at(settings, place, f"{origin}.files_directory")
        for origin, place in places_apart(settings).items()
    }
    return Places(usual, apart) if apart else usual


def places_apart(settings: Settings) -> dict[str, str]:
    """Origins whose files are in a place of their own, with that place."""
    return {"cloudai": place} if (place := settings.cloudai.files_directory) else {}


def _blobs_at(settings: Settings, place: str, key: str) -> BlobStore:
    try:
        return blobs_at(place, endpoint=settings.files.endpoint)
    except ValueError as error:
        raise SettingsError([f"{key}: {error}"]) from None
