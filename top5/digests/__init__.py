"""Digests: freezing the day's choice (`compose`, `day`) and showing it (`render`). Sending is `top5.deliveries`."""
