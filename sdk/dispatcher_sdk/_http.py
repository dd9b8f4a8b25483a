"""The one import of the HTTP client library: httpx2 where it is installed, else httpx (same interface)."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx
else:
    try:
        import httpx2 as httpx
    except ImportError:
        import httpx

__all__ = ["httpx"]
