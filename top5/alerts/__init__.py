"""Telling the operator: one message for each cause and day, and one when it is over.

Belongs here: what counts as trouble (`causes`), looking for it in the catalog and on the disk (`watch`), what has been told
(`desk`), and how a message leaves (`send`). Does not belong here: anything that knows of runs; `orchestration.sensors` reports
those.
"""
