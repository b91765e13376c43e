"""How good the choice is, measured on material that people judged: labels (offsets and grades only) and what is computed from them."""
