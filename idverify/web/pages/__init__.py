"""Pages for people: server-rendered HTML in two languages that works without JavaScript, but for the key ceremony.

A page is one row of ``routes.PAGES``. ``page`` recognises the visitor, checks that a form came from our own pages and
reads it; the handler asks a service and answers with a template's name and context; ``render`` writes the HTML.
"""
