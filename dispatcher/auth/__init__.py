"""Who is calling: the only importer of the JWT library.

`Tokens` turns a JWT into a principal, `CallbackTokens` speak for one attempt, `Sealer` keeps servers' API keys.
"""

from dispatcher.auth.callback import CallbackTokens, is_callback_token
from dispatcher.auth.keys import KeySet, SecretKeys
from dispatcher.auth.sealer import CannotOpen, Sealer
from dispatcher.auth.secret import check_secret
from dispatcher.auth.tokens import Tokens

__all__ = [
    "CallbackTokens",
    "CannotOpen",
    "KeySet",
    "Sealer",
    "SecretKeys",
    "Tokens",
    "check_secret",
    "is_callback_token",
]
