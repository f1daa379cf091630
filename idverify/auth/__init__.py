"""Who is at the other end."""
