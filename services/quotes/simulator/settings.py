"""What the simulator is told: by its environment where to listen, by its arguments what to play."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.kit.settings import HostPort, LogFormat

_DAY_SECONDS = 24 * 60 * 60


class Settings(BaseSettings):
    """Settings of the simulator; each variable begins with `VERITICK_`."""

    model_config = SettingsConfigDict(env_prefix="VERITICK_", extra="ignore", frozen=True)

    listen: HostPort = Field(default="127.0.0.1:0", description="WebSocket")
    state: Path | None = Field(default=None, description="folder that keeps the last prices")
    log_format: LogFormat = "json"
    simulator_ticks_per_second: int = Field(default=50, description="of all symbols together")
    simulator_control: bool = Field(default=False, description="obey commands: for tests")


def arguments(argv: list[str], settings: Settings) -> Namespace:
    """Return the arguments of the command line, or end the process and say what is wrong."""
    parser = ArgumentParser(
        prog="python -m services.quotes.simulator",
        formatter_class=RawDescriptionHelpFormatter,
        description="A market data server: simulated prices, or a recording.",
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    simulated = kinds.add_parser("simulated", help="make every price up")
    replay = kinds.add_parser("replay", help="serve a recording, and make the other prices up")
    replay.add_argument("--file", type=Path, required=True, help="CSV of time,bid,ask and the like")
    replay.add_argument("--symbol", help="by default what the file's name begins with")
    replay.add_argument("--speed", default="1", help="2 is twice as fast as it was")
    replay.add_argument("--once", action="store_true", help="do not begin again at the end")
    binance = kinds.add_parser("binance", help="simulated, in the protocol of Binance's streams")
    binance.add_argument(
        "--connection-seconds",
        type=int,
        default=_DAY_SECONDS,
        help="how long a connection may last",
    )
    for kind in (simulated, replay, binance):
        kind.add_argument("--seed", type=int, help="the same seed walks the same way")
        kind.add_argument(
            "--ticks-per-second", type=int, default=settings.simulator_ticks_per_second
        )
        kind.add_argument(
            "--control",
            action="store_true",
            default=settings.simulator_control,
            help="obey commands: for tests",
        )
    return parser.parse_args(argv)
