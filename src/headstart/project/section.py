"""The base of every params model."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of params.yaml: typed, frozen, no unknown keys, no silent conversions.

    A model lives beside the code that uses it. Each field's description says its unit and range, and
    its constraints enforce them. No number may be infinite or nan.
    A number that affects a result has no default here: it is written once, in params.yaml.
    A validator of several keys begins its message with the wrong key, without the section's name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
