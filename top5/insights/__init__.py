"""Insights: choosing claims from a transcript (`extract_local`, `extract_openai`) and proving them (`ground`, `names`, `style`)."""
