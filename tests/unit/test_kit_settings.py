import pytest
from pydantic import SecretStr, ValidationError

from services.kit.settings import DatabaseSettings, ServiceSettings, load_settings

pytestmark = pytest.mark.security

STRONG = "postgresql://svc:Xq9-long-and-random@db.example:5432/quotes"


class OneDatabase(ServiceSettings, DatabaseSettings):
    """As identity and quotes have it."""


class Books(ServiceSettings):
    """As trading has it."""

    books: dict[str, DatabaseSettings]


class Signing(ServiceSettings):
    """With a secret that has a default for development."""

    signing_key: SecretStr = SecretStr("only-for-development-7d1f")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("VERITICK_DATABASE_URL", STRONG)
    return monkeypatch


def test_settings_come_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VERITICK_LISTEN", "127.0.0.1:7001")
    environment.setenv("VERITICK_QUOTES_ADDRESS", "127.0.0.1:7002")
    environment.setenv("VERITICK_POOL_MAX", "20")
    environment.setenv("VERITICK_SOMEONE_ELSES", "ignored")

    settings = load_settings(OneDatabase)

    assert settings.listen == "127.0.0.1:7001"
    assert settings.quotes_address == "127.0.0.1:7002"
    assert settings.pool_max == 20
    assert settings.database_url.get_secret_value() == STRONG


def test_each_book_has_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__DATABASE_URL", STRONG)
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__MIGRATION_URL", STRONG)
    monkeypatch.setenv("VERITICK_BOOKS__REAL__DATABASE_URL", STRONG)

    settings = load_settings(Books)

    assert sorted(settings.books) == ["demo", "real"]
    assert settings.books["real"].migration_url is None


def test_a_process_is_in_production_unless_told_otherwise(environment: pytest.MonkeyPatch) -> None:
    del environment

    assert load_settings(OneDatabase).mode == "production"


def test_secrets_are_not_shown(environment: pytest.MonkeyPatch) -> None:
    del environment

    assert "Xq9" not in repr(load_settings(OneDatabase))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://svc@db/quotes",
        "postgresql://svc:@db/quotes",
        "postgresql://svc:svc@db/quotes",
        "postgresql://svc:postgres@db/quotes",
        "postgresql://svc:Veritick@db/quotes",
        "postgres://svc:password@/quotes?host=/run/postgresql",
    ],
)
def test_production_refuses_a_guessable_database_password(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    environment.setenv("VERITICK_DATABASE_URL", url)

    with pytest.raises(SystemExit) as stopped:
        load_settings(OneDatabase)

    assert stopped.value.code == 2
    complaint = capsys.readouterr().err
    assert "production refuses" in complaint
    assert "database_url" in complaint
    assert url not in complaint

    environment.setenv("VERITICK_MODE", "development")
    assert load_settings(OneDatabase).database_url.get_secret_value() == url


def test_production_looks_into_every_book(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERITICK_BOOKS__DEMO__DATABASE_URL", STRONG)
    monkeypatch.setenv("VERITICK_BOOKS__REAL__DATABASE_URL", "postgresql://svc:test@db/real")

    with pytest.raises(SystemExit):
        load_settings(Books)

    assert "books.real.database_url" in capsys.readouterr().err


def test_a_certificate_stands_in_for_a_password(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VERITICK_DATABASE_URL", "postgresql://svc@db/q?sslcert=/etc/tls/svc.crt")

    assert load_settings(OneDatabase).mode == "production"


def test_production_refuses_the_default_of_development(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        load_settings(Signing)

    monkeypatch.setenv("VERITICK_SIGNING_KEY", "9f0c3b77-of-this-installation")
    assert load_settings(Signing).mode == "production"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("VERITICK_MODE", "staging"),
        ("VERITICK_LISTEN", "7001"),
        ("VERITICK_LISTEN", "host:port"),
        ("VERITICK_LOG_FORMAT", "xml"),
        ("VERITICK_DRAIN_SECONDS", "-1"),
        ("VERITICK_POOL_MAX", "0"),
        ("VERITICK_POOL_MIN", "11"),
        ("VERITICK_STATEMENT_TIMEOUT_SECONDS", "soon"),
    ],
)
def test_nonsense_ends_the_process_with_the_name_of_the_variable(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
) -> None:
    environment.setenv(variable, value)

    with pytest.raises(SystemExit) as stopped:
        load_settings(OneDatabase)

    assert stopped.value.code == 2
    assert variable.removeprefix("VERITICK_").lower() in capsys.readouterr().err.lower()


def test_a_missing_secret_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        load_settings(OneDatabase)

    assert "VERITICK_DATABASE_URL: Field required" in capsys.readouterr().err


def test_settings_do_not_change(environment: pytest.MonkeyPatch) -> None:
    del environment
    settings = load_settings(OneDatabase)

    with pytest.raises(ValidationError):
        settings.mode = "development"  # type: ignore[misc]


def test_a_value_that_does_not_parse_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VERITICK_BOOKS", "postgresql://svc:Hunter2@db/real")

    with pytest.raises(SystemExit):
        load_settings(Books)

    complaint = capsys.readouterr().err
    assert "books" in complaint
    assert "Hunter2" not in complaint
