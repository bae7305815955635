"""`python -m services.quotes serve|migrate`."""

from services.kit.process import main
from services.quotes.app import build, migrate
from services.quotes.settings import Settings

if __name__ == "__main__":
    main("quotes", Settings, build, migrate)
