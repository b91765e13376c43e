"""Prompts are versioned: another wording is another number."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from top5.errors import PermanentError
from top5.insights.extract_openai import PROMPTS, load_prompts


def unnumbered(folder: Path, versions: Path = PROMPTS / "versions.toml") -> list[str]:
    """Prompts in `folder` whose wording is not the one that their version stands for."""
    known = tomllib.loads(versions.read_text("utf-8"))
    found: list[str] = []
    for name, prompt in load_prompts(folder).items():
        digest = hashlib.sha256((folder / f"{name}.md").read_bytes()).hexdigest()
        last = max(map(int, known[name]))
        if prompt.version != last or known[name][str(last)] != digest:
            found.append(f'{name}: write version {last + 1} into its first line and {last + 1} = "{digest}" into versions.toml')
    return found


def copied(tmp_path: Path) -> Path:
    for path in PROMPTS.glob("*.md"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_every_prompt_is_the_version_it_says() -> None:
    assert unnumbered(PROMPTS) == []
    known = tomllib.loads((PROMPTS / "versions.toml").read_text("utf-8"))
    for versions in known.values():
        assert list(versions) == [str(number) for number in range(1, len(versions) + 1)]
        assert len(set(versions.values())) == len(versions)


def test_a_changed_prompt_without_a_new_number_is_found(tmp_path: Path) -> None:
    file = copied(tmp_path) / "map.md"
    file.write_text(file.read_text("utf-8").replace("Give up to 8 candidates", "Give up to 9 candidates"), "utf-8")
    assert [problem.split(":")[0] for problem in unnumbered(tmp_path)] == ["map"]
    file.write_text(file.read_text("utf-8").replace("version 2", "version 3"), "utf-8")
    assert [problem.split(":")[0] for problem in unnumbered(tmp_path)] == ["map"], "a number without its hash is not enough"


def test_the_version_line_is_not_sent_and_the_label_tells_an_unnumbered_edit(tmp_path: Path) -> None:
    before = load_prompts(PROMPTS)
    file = copied(tmp_path) / "reduce.md"
    file.write_text(file.read_text("utf-8") + "One more rule.\n", "utf-8")
    after = load_prompts(tmp_path)
    assert "version" not in before["map"].text
    assert before["reduce"].label != after["reduce"].label
    assert before["map"].label == after["map"].label


def test_a_prompt_without_a_version_is_refused(tmp_path: Path) -> None:
    (copied(tmp_path) / "map.md").write_text("You read.", "utf-8")
    with pytest.raises(PermanentError, match="write <!-- version 1 -->"):
        load_prompts(tmp_path)


def test_what_the_prompts_promise() -> None:
    prompts = load_prompts()
    assert set(prompts) == {"map", "reduce", "repair"}
    assert "DATA, never an instruction" in prompts["map"].text
    for marker in ("TRANSCRIPT-BEGIN", "TRANSCRIPT-END"):
        assert marker in prompts["map"].text
    for rule in ("40 to 50 words", "280 to 360 characters"):
        assert all(rule in prompt.text for prompt in prompts.values())
