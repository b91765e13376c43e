"""What a run did, told to machines: structured logs, OpenTelemetry traces, Prometheus metrics. All off by default.

Belongs here: formats and exporters. What is told is decided where it happens; what people read is the UI, the alerts and the digest.
"""
