"""From a JSON object to a request model, with the same error texts in every dialect."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dispatcher.domain.errors import Invalid

M = TypeVar("M", bound=BaseModel)

_TEXTS = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "too_short": "must have at least {min_length} {entries}",
    "too_long": "must have at most {max_length} {entries}",
    "string_too_short": "must have at least {min_length} {characters}",
    "string_too_long": "must have at most {max_length} {characters}",
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


class RequestModel(BaseModel):
    """Names as they stand, no type coercion, unknown fields ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


def _web_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise ValueError("must be an absolute http or https URL")
    return text


WebUrl = Annotated[str, Field(max_length=2048), AfterValidator(_web_url)]


def validate(model: type[M], members: dict[str, Any]) -> M:
    """A request model from the members of a JSON object; null counts as absent. Raises Invalid."""
    try:
        return model.model_validate(_without_null(members))
    except ValidationError as error:
        raise _first(error) from None


def _without_null(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _first(error: ValidationError) -> Invalid:
    """The first missing field, else the first wrong one."""
    found = error.errors(include_url=False, include_input=False)
    missing = [e for e in found if e["type"] == "missing"]
    first = (missing or found)[0]
    field = ".".join(str(part) for part in first["loc"])
    if missing:
        return Invalid(f"Missing required field: {field}", field=field)
    return Invalid(
        f"Invalid field {field}: {_text(first['type'], first['msg'], first.get('ctx', {}))[:200]}", field=field
    )


def _text(kind: str, message: str, context: Mapping[str, Any]) -> str:
    """What is wrong, in plain words; `kind`, `message` and `context` are those of the library."""
    if kind == "value_error":  # our own words
        return message.removeprefix("Value error, ")
    told = {name: int(v) if isinstance(v, float) and v.is_integer() else v for name, v in context.items()}
    length = told.get("min_length", told.get("max_length"))
    words = {
        "entries": "entry" if length == 1 else "entries",
        "characters": "character" if length == 1 else "characters",
    }
    return _TEXTS.get(kind, "is not valid").format(**told, **words)
