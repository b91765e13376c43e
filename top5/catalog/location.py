"""Where the catalog of a home is."""

from top5.settings import Settings


def catalog_url(settings: Settings) -> str:
    """The database URL that the settings name, by default that of a SQLite file under `home`. It may hold a password."""
    if settings.catalog_url is not None:
        return settings.catalog_url.get_secret_value()
    return f"sqlite:///{settings.home / 'catalog.db'}"
