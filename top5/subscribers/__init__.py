"""Who gets the digest: addresses, preferences, signed links, and the way in and out (`service`). Sending is `top5.deliveries`."""
