"""How well backgrounds come off and cut lines fit, measured on art whose alpha is known exactly.

Reading order: drawing.py and artworks/ (what is drawn), backgrounds.py with photo_like.py (what it is put on),
truth.py (what a perfect cutout would be, and what no cutout could know), cutout_metrics.py and cut_line_metrics.py
(the measures), cases.py (one artwork through everything), verdicts.py (the figures against their targets),
report.py and contact_sheet.py (what a person sees).
"""
