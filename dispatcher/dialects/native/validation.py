"""Request models of the native API."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from dispatcher.dialects.validation import validate

__all__ = ["RequestModel", "validate"]


class RequestModel(BaseModel):
    """camelCase names, no type coercion, unknown fields ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        strict=True,
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )
