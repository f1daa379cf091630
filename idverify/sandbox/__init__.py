"""Work that may go wrong, in processes of its own that may do next to nothing.

``Workers`` is the asyncio client of two pools: ``reading`` takes hostile bytes apart, ``making`` makes documents of
people's data. They never share a process. ``jobs.JOBS`` is the table of all that they do.
"""
