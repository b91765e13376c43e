"""WHEN and WHERE: definitions, jobs, schedules, and running the main job from a command line.

Belongs here: everything that knows of runs. What is materialized is in `assets`, how it is done in `top5`.
"""
