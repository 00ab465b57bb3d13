"""A pydantic model that refuses unknown fields."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """What a file says, and nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True)
