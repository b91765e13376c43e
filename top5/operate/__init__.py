"""Keeping a home in good order over years: backup and restore, retention, repair.

Belongs here: work on what is stored as a whole. Commands are in `cli`; looking without touching is `top5.doctor`.
"""
