"""What people read: tables and the closing lines of a run, from its results document."""
