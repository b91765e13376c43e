"""Feeds: fetching them politely (`fetch`), reading them (`parse`), telling episodes apart (`identity`), OPML (`opml`)."""
