"""Digests: freezing the day's choice (`compose`), showing it (`render`), sending it (`deliver`)."""
