"""`python -m services.quotes.simulator simulated|replay|binance`."""

import asyncio
import signal
import sys
from argparse import Namespace
from random import Random

import structlog
import uvloop
from websockets.asyncio.server import serve

from services.kit.clock import SystemClock
from services.kit.logs import configure_logs
from services.quotes.simulator.binance import BinanceVoice
from services.quotes.simulator.market import Market, Replay, speed_milli
from services.quotes.simulator.recording import NotARecording, read, symbol_of
from services.quotes.simulator.server import Server
from services.quotes.simulator.settings import Settings, arguments
from services.quotes.simulator.state import State
from services.quotes.simulator.voice import VeritickVoice, Voice

_REQUEST_BYTES_MAX = 64 * 1024
_PING_SECONDS = 20
_log = structlog.stdlib.get_logger()


def main() -> None:
    """Serve a market until SIGTERM or SIGINT."""
    settings = Settings()
    options = arguments(sys.argv[1:], settings)
    configure_logs("simulator", settings.log_format)
    try:
        replay = _replay(options) if options.kind == "replay" else None
    except (NotARecording, ValueError) as error:
        raise SystemExit(f"simulator: {error}") from error
    uvloop.run(_serve(settings, options, replay))


def _replay(options: Namespace) -> Replay:
    symbol = options.symbol or symbol_of(options.file)
    speed = speed_milli(options.speed)
    return Replay(symbol.upper(), read(options.file), speed, loop=not options.once)


def _voice(options: Namespace) -> Voice:
    binance = options.kind == "binance"
    return BinanceVoice(options.connection_seconds) if binance else VeritickVoice()


async def _serve(settings: Settings, options: Namespace, replay: Replay | None) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    clock, state = SystemClock(), State(settings.state)
    random = Random(options.seed)  # noqa: S311  makes prices up
    market = Market(random, clock.now(), state.load(), options.ticks_per_second, replay)
    server = Server(market, _voice(options), state, clock, controlled=options.control)
    host, _, port = settings.listen.rpartition(":")
    running = asyncio.create_task(server.run())
    running.add_done_callback(lambda _: stopping.set())
    async with serve(
        server.serve,
        host.strip("[]"),
        int(port),
        max_size=_REQUEST_BYTES_MAX,
        compression=None,
        ping_interval=None if options.kind == "binance" else _PING_SECONDS,
    ) as listening:
        bound = next(iter(listening.sockets)).getsockname()[1]
        _log.info("serving", address=f"{host}:{bound}", kind=options.kind)
        await stopping.wait()
        running.cancel()
    await asyncio.wait({running})
    if not running.cancelled():
        running.result()


if __name__ == "__main__":
    main()
