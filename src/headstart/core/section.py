"""The base of every params model."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of params.yaml: typed, frozen, no unknown keys, no silent conversions.

    A model lives beside the code that uses it; each field's description says its unit and range.
    A number that shapes a result has no default here: it is written once, in params.yaml.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
