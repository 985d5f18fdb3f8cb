"""How pictures are drawn: one SVG at a time, and how things look in all of them."""
