"""What settlement is told by its environment."""

from services.kit.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of settlement. The books it serves are those that trading names."""
