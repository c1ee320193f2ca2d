"""Studies: many engines side by side, with what they cost and what they find, and published rows beside them."""
