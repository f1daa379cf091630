"""Letters as PDF: signed here (PAdES), whoever has drawn them."""
