"""Great Expectations, taken once a process.

Belongs here: its import and its context. The suites are in `suites` and `drift`.
"""

import warnings
from functools import cache
from importlib import import_module
from typing import Any


def library(module: str = "") -> Any:
    """The library or one of its modules. Its types are incomplete, so it is taken as untyped, here and nowhere else."""
    with warnings.catch_warnings():
        # The library's own imports warn of its dependencies' deprecations.
        warnings.simplefilter("ignore")
        return import_module(f"great_expectations{module}")


def warm_up() -> None:
    """Import all that a validation needs."""
    library(".render.renderer")
    library(".render.view")
    _data_source()


@cache
def _data_source() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = library().get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        return context.data_sources.add_pandas("lake")


@cache
def batch_definition(name: str) -> Any:
    """Where a data frame of this name is handed in."""
    return _data_source().add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)


def new_suite(name: str, expectations: list[Any]) -> Any:
    """A suite of these expectations."""
    _data_source()
    suite = library().ExpectationSuite(name=name)
    for expectation in expectations:
        suite.add_expectation(expectation)
    return suite
