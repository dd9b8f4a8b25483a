"""In a checkout, `import sdk` is the SDK: the published import package is `dispatcher_sdk`."""

from dispatcher_sdk import *  # noqa: F403
