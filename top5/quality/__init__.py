"""What must be true of the rows that Python lands, and what they are usually like, as Great Expectations suites in code.

Belongs here: suites per lake table (`suites`), the days before as numbers (`history`), how far a day may be from them (`drift`),
running both and keeping the outcome as a page (`validate`, `pages`). What SQL builds is tested by dbt; what a failed suite stops is
decided by the assets. Importing the library takes seconds, so it happens once a run, beside it (`apart`).
"""

from top5.quality.model import Failure, Validation
from top5.quality.validate import compare_with_history, validate

__all__ = ["Failure", "Validation", "compare_with_history", "validate"]
