"""One archive of five days, read only, for all tests of pages; tests that change something make their own."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.top5.site.samples import archive_of
from top5.site.archive import Archive
from top5.site.index import Publication, synchronise
from top5.site.pages import Pages, SiteFacts

FACTS = SiteFacts(
    title="The day's five", description="Five insights.", url="https://five.example", contact="", interactive=True, sign_up=True
)
EVERYTHING = Publication(lambda days: {})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with five days, indexed."""
    folder = tmp_path_factory.mktemp("home")
    archive_of(folder)
    synchronise(folder, folder / "lake", EVERYTHING)
    return folder


@pytest.fixture
def archive(home: Path) -> Generator[Archive, None, None]:
    """The index of `home`."""
    opened = Archive(home)
    yield opened
    opened.close()


@pytest.fixture
def pages(archive: Archive) -> Pages:
    """The pages of `home`."""
    return Pages(archive, FACTS)
