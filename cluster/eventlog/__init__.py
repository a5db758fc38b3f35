"""The event log in Postgres and in the object store: which tables it holds, how far the archive is, segments and slips.

After: `tasks.recovery.archive` carries changes from one to the other, `tasks.recovery.restore` reads them back.
"""
