"""Transcripts: the publisher's own (`publisher`, `formats`) or speech to text (`speech`), and what must not be used (`sponsors`)."""
