"""Schema migrations, run by ``stores.schema``."""
