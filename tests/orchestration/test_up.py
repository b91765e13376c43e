"""What `make up` shows beside Dagster itself."""

from pathlib import Path
from urllib.request import urlopen

import pytest

from orchestration.up import dbt_docs
from top5.settings import Settings


@pytest.mark.slow
def test_the_models_are_documented_at_an_address_of_their_own(tmp_path: Path) -> None:
    with dbt_docs(Settings(home=tmp_path)) as address, urlopen(address) as page:
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        documented = page.read().decode()
    assert "One pick of one day" in documented
    assert "mean of the components" in documented
