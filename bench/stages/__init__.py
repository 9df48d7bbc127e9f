"""How long a sticker takes beside the codecs it cannot do without, step by step, and how much memory it needs.

Reading order: cases.py (what is measured), artworks.py (what is drawn for it) with network.py (a small model),
measure.py (one case in a process of its own), verdicts.py (the figures against their bounds), report.py and chart.py
(what a person sees).
"""
