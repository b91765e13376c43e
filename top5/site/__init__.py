"""The archive as a web site, its feeds, its search, its static copy, and the pages of subscribers.

Belongs here: everything a browser or a feed reader is given. What a digest says is frozen by `top5.digests`; who subscribes is known
to `top5.subscribers`.
"""
