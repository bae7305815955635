"""`python -m services.trading serve|migrate`."""

from services.kit.process import main
from services.trading.app import NAME, build, migrate
from services.trading.settings import Settings

if __name__ == "__main__":
    main(NAME, Settings, build, migrate)
