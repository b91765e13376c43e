import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT
from top5.errors import PermanentError
from top5.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TOP5_CONFIG", "TOP5_HOME", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_shipped_file_lists_every_key_with_its_default():
    shipped = tomllib.loads((ROOT / "top5.toml").read_text("utf-8"))
    defaults = Settings().model_dump(mode="json")
    optional = {"catalog_url", "model_path", "glossary_file", "embedding_model_path", "api_key", "base_url", "temperature"}
    optional |= {"smtp_host", "smtp_user", "smtp_password"}
    optional |= {f"bounce_{name}" for name in ("address", "maildir", "imap_host", "imap_user", "imap_password", "webhook_secret")}
    optional |= {"dkim_selector", "dkim_domain", "dkim_key", "url"}
    optional |= {"ping_url", "log_file", "metrics_folder"}

    def compare(given: dict[str, object], expected: dict[str, object], where: str) -> None:
        missing = set(expected) - set(given) - optional
        assert not missing, f"top5.toml lacks {where}{sorted(missing)}"
        for key, value in given.items():
            if isinstance(value, dict) and key != "connect_to":
                compare(value, expected[key], f"{key}.")  # type: ignore[arg-type]
            else:
                assert str(value) == str(expected[key]), f"{where}{key}"

    compare(shipped, defaults, "")
    assert Settings(**shipped) == Settings()


def test_an_unknown_key_is_named_with_the_nearest_valid_one(tmp_path: Path):
    (tmp_path / "top5.toml").write_text("[scan]\ntimeuot = 3\n")
    with pytest.raises(PermanentError, match=r"'scan\.timeuot' is no setting; the nearest valid key is 'timeout'"):
        load_settings()


def test_an_unknown_section_is_named(tmp_path: Path):
    (tmp_path / "top5.toml").write_text("[transcript]\nspeech = 'off'\n")
    with pytest.raises(PermanentError, match="the nearest valid key is 'transcripts'"):
        load_settings()


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOP5_HOEM", "/somewhere")
    with pytest.raises(PermanentError, match="TOP5_HOEM is no setting; the nearest valid key is 'home'"):
        load_settings()


def test_the_environment_wins_over_the_file_key_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "top5.toml").write_text("[scan]\ntimeout = 3\nmax_bytes = 5\n")
    monkeypatch.setenv("TOP5_SCAN__TIMEOUT", "7")
    settings = load_settings()
    assert (settings.scan.timeout, settings.scan.max_bytes) == (7.0, 5)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("timezone = 'Europe/Berln'", "did you mean 'Europe/Berlin'"),
        ("[digest]\nsize = 11", "'digest.size' is not usable"),
        ("home = [", "no valid TOML"),
    ],
)
def test_a_bad_value_is_one_sentence(tmp_path: Path, text: str, said: str):
    (tmp_path / "top5.toml").write_text(text)
    with pytest.raises(PermanentError) as caught:
        load_settings()
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_missing_file_is_only_a_failure_where_it_was_asked_for(tmp_path: Path):
    assert load_settings() == Settings()
    with pytest.raises(PermanentError, match=r"nowhere\.toml does not exist"):
        load_settings(tmp_path / "nowhere.toml")


def test_the_key_is_taken_from_its_usual_variable_and_never_shown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary")
    settings = load_settings()
    assert settings.openai.api_key is not None
    assert settings.openai.api_key.get_secret_value() == "sk-canary"
    assert "sk-canary" not in repr(settings)


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "TOP5_DELIVERY__SMTP_PASSWORD", "TOP5_CATALOG_URL"])
def test_a_secret_may_come_from_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(name, raising=False)
    (tmp_path / "secret").write_text("sqlite:///s3cret\n")
    monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    settings = load_settings()
    told = (settings.openai.api_key, settings.delivery.smtp_password, settings.catalog_url)
    assert [secret.get_secret_value() for secret in told if secret] == ["sqlite:///s3cret"]
    assert "s3cret" not in repr(settings)


def test_the_variable_wins_over_the_file_and_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOP5_DELIVERY__SMTP_PASSWORD_FILE", str(tmp_path / "absent"))
    with pytest.raises(PermanentError, match=r"TOP5_DELIVERY__SMTP_PASSWORD_FILE names .*absent"):
        load_settings()
    (tmp_path / "absent").write_text("from the file")
    monkeypatch.setenv("TOP5_DELIVERY__SMTP_PASSWORD", "from the environment")
    password = load_settings().delivery.smtp_password
    assert password is not None
    assert password.get_secret_value() == "from the environment"
