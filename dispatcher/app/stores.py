"""Stores with the configured namespace, bounds and first policy."""

from dispatcher.app.options import store_options
from dispatcher.files import blobs_at
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
    try:
        return blobs_at(settings.files.directory, endpoint=settings.files.endpoint)
    except ValueError as error:
        raise SettingsError([f"files.directory: {error}"]) from None
