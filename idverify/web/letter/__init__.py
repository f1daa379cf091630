"""Letters on paper, as HTML that is made for print: one template for each type that has a letter."""
