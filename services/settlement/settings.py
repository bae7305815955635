"""What settlement is told by its environment."""

from pydantic import Field

from services.kit.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of settlement. The books it serves are those that trading names."""

    sign_every_seconds: int = Field(
        default=60, ge=1, le=3600, description="between two signatures of a growing chain"
    )
