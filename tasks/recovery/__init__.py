"""A region out of its event log: how changes get there, how a region is made of them again, and a database that was set back."""
