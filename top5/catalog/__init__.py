"""The catalog: state that changes row by row, in SQLite or Postgres.

Belongs here: tables (`tables`), their migrations, the questions the stages ask (`store`), and the values of question and answer
(`model`). Rows of analysis live in the lake. This package imports nothing by itself, so that `model` costs no database library.
"""
