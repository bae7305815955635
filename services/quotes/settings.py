"""What quotes is told by its environment."""

from typing import Literal

from pydantic import Field

from services.kit.settings import DatabaseSettings, ServiceSettings


class Settings(ServiceSettings, DatabaseSettings):
    """Settings of quotes; each variable begins with `VERITICK_`."""

    feed_url: str = Field(
        default="ws://127.0.0.1:7000",
        pattern=r"^wss?://",
        description="the market data server",
    )
    feed_protocol: Literal["veritick", "binance"] = Field(
        default="veritick", description="what the market data server speaks"
    )
    seed: bool = Field(default=True, description="add the usual instruments to an empty database")
    generated_past: bool = Field(
        default=True, description="give instruments a generated past, for charts to begin with"
    )
    gather_milliseconds: int = Field(
        default=10, ge=0, le=50, description="how long ticks wait to be stored together"
    )
    feed_patience_seconds: float = Field(
        default=10, ge=0, le=600, description="how long to wait for a feed before serving without"
    )
    tick_retention_days: int = Field(default=7, ge=1, le=3650)
    second_candle_retention_days: int = Field(default=3, ge=1, le=3650)
    minute_candle_retention_days: int = Field(default=120, ge=3, le=3650)
