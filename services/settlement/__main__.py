"""`python -m services.settlement work|migrate`."""

from services.kit.process import main
from services.settlement.app import NAME, build, migrate
from services.settlement.settings import Settings

if __name__ == "__main__":
    main(NAME, Settings, build, migrate, verb="work")
