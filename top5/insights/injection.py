"""Words that talk to a model instead of to people: in a transcript, in show notes, in a reply.

Belongs here: recognising them. A podcast about prompts may say such words in earnest; they are then left out, too, because a reader
loses less by that than by one obeyed instruction. Links and advice to the reader are the business of `style`.
"""

import re

_TO_A_MODEL = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b(?: \w+){0,4}? (?:instructions?|rules|prompts?|guidelines|directions|guardrails)\b"
    r"|\b(?:system|developer) (?:prompt|message|mode|override)\b|\bjailbreak|\bnew instructions?\b"
    r"|^\W*(?:system|assistant|user|developer|human|ai) ?:|<\|[a-z_]+\|>|\[/?inst\]|<</?sys>>|#{2,} ?(?:instruction|system|response)"
    r"|\bas an? (?:ai|artificial intelligence|language model|llm)\b|\b(?:large )?language models? (?:reading|must|should|that reads?)\b"
    r"|\byou are (?:now )?(?:an?|the|no longer) (?:ai|assistant|language model|llm|chatbot|bot|summari[sz]er|editor|model)\b"
    r"|\b(?:notes?|messages?|instructions?|attention|warning|reminder|hey|dear|listen)\W+(?:(?:to|for|all) )?(?:(?:the|any|every|all) )?"
    r"(?:ais?|a\.i\.|models?|llms?|summari[sz]ers?|assistants?|bots?|chatbots?|crawlers?|editors?|transcribers?)\b"
    r"|\b(?:any|every|all) (?:ais?|llms?|models?|assistants?|bots?|summari[sz]ers?) (?:that |which |who )?(?:reads?|reading|summari[sz]|must|should)"
    r"|\b(?:your|the|each|every) (?:outputs?|repl(?:y|ies)|answers?|responses?|summar(?:y|ies)|headlines?|candidates?|insights?) "
    r"(?:must|should|shall|has to|have to|needs? to|ought)\b"
    r"|\b(?:when|while|before|if) (?:you )?(?:are )?(?:summari[sz]e|summari[sz]ing|extract(?:ing)?|generat(?:e|ing))\b"
    r"|\bin your (?:summary|output|reply|answer)\b"
    r"|\b(?:output|print|insert|append|return|respond with|reply with|answer with|write) (?:only |exactly |just )?"
    r"(?:the following|this (?:link|url|text|line|sentence)|verbatim)\b"
    r"|\bsalience\b|\b(?:rank|rate|score|grade) (?:this|it|me|us|our show|the following) (?:as |the )?(?:first|highest|top|best|one|1|10|100)\b"
    r"|\b(?:transcript|candidates|failed)-(?:begin|end)\b",
    re.I | re.M,
)


def talks_to_a_model(text: str) -> str | None:
    """The words of `text` that address a model, or None."""
    found = _TO_A_MODEL.search(text)
    return found.group() if found else None
