"""A day's digest to everybody who wants it, once: what to send (`personal`, `message`), by which way (`smtp`, `outbox`, `apprise`),
in which order of ledger and wire (`sending`), and what came back (`bounces`). Who subscribes is `top5.subscribers`."""
